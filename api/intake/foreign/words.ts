/** What is read of a body in foreign words, format by format. All other members pass unread. */
import type { ForeignFormat } from '../../../providers/manifest.ts';

export type Words = {
  /** What of a call its provider bills: what it reads and writes, what it reads, or nothing. */
  billed: 'all' | 'input' | 'nothing';
  /** Names of the answer's limit; any of them may be there. */
  limits: readonly string[];
  /** How many answers are asked for; null if there is always one. */
  count: string | null;
  /** Members that name what lies at the provider. Whose that is, nobody can tell here. */
  stored: readonly string[];
  /** Members that are taken out, because a job does what they ask for. */
  replaced: readonly string[];
  /** Types of tools that the caller runs itself; one without a type is one of them. */
  ownTools: readonly string[];
  /** Under a budget: members that make no call dearer than its text and the limit of its answer, of whatever value. */
  bounded: readonly string[];
};

/** Tiers that cost what the price list says, or less. */
export const LISTED_TIERS: readonly unknown[] = [null, 'auto', 'default', 'flex', 'standard_only'];

export const WORDS = {
  // https://developers.openai.com/api/reference/resources/chat/subresources/completions/methods/create
  'openai.chat': {
    billed: 'all',
    limits: ['max_completion_tokens', 'max_tokens'],
    count: 'n',
    stored: [],
    replaced: [],
    ownTools: ['function', 'custom'],
    bounded: [
      'frequency_penalty',
      'function_call',
      'functions',
      'logit_bias',
      'logprobs',
      'metadata',
      'parallel_tool_calls',
      'presence_penalty',
      'prompt_cache_key',
      'prompt_cache_retention',
      'reasoning_effort',
      'response_format',
      'safety_identifier',
      'seed',
      'stop',
      'store',
      'stream',
      'stream_options',
      'temperature',
      'tool_choice',
      'top_logprobs',
      'top_p',
      'user',
      'verbosity',
    ],
  },
  // https://developers.openai.com/api/reference/resources/responses/methods/create
  'openai.responses': {
    billed: 'all',
    limits: ['max_output_tokens'],
    count: null,
    stored: ['previous_response_id', 'conversation'],
    replaced: ['background'],
    ownTools: ['function', 'custom'],
    bounded: [
      'include',
      'instructions',
      'metadata',
      'parallel_tool_calls',
      'prompt_cache_key',
      'prompt_cache_retention',
      'reasoning',
      'safety_identifier',
      'store',
      'stream',
      'stream_options',
      'temperature',
      'text',
      'tool_choice',
      'top_logprobs',
      'top_p',
      'truncation',
      'user',
    ],
  },
  // https://developers.openai.com/api/reference/resources/embeddings/methods/create; the rest is Mistral's:
  // https://docs.mistral.ai/api/endpoint/embeddings
  'openai.embeddings': {
    billed: 'input',
    limits: [],
    count: null,
    stored: [],
    replaced: [],
    ownTools: [],
    bounded: ['dimensions', 'encoding_format', 'metadata', 'output_dimension', 'output_dtype', 'user'],
  },
  // https://platform.claude.com/docs/en/api/messages/create
  'anthropic.messages': {
    billed: 'all',
    limits: ['max_tokens'],
    count: null,
    stored: ['container'],
    replaced: [],
    ownTools: ['custom'],
    bounded: [
      'metadata',
      'output_config',
      'output_format',
      'stop_sequences',
      'stream',
      'system',
      'temperature',
      'thinking',
      'tool_choice',
      'top_k',
      'top_p',
    ],
  },
  // https://platform.claude.com/docs/en/build-with-claude/token-counting
  'anthropic.count_tokens': {
    billed: 'nothing',
    limits: [],
    count: null,
    stored: [],
    replaced: [],
    ownTools: [],
    bounded: [],
  },
} as const satisfies Record<ForeignFormat, Words>;
