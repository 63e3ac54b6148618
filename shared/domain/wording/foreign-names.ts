/** Names that other interfaces to models have for what this one names otherwise or does not have, and what to send instead. */
export const FOREIGN_FIELDS = {
  // OpenAI: https://platform.openai.com/docs/api-reference/chat/create and /responses/create.
  max_completion_tokens: 'use max_tokens',
  max_output_tokens: 'use max_tokens',
  input: 'send the texts in messages',
  prompt: 'send it as a message of role user in messages',
  instructions: 'send them as a message of role system',
  stream: 'leave it out, and read the answer with GET /v1/jobs/{id}?wait=',
  stream_options: 'leave it out; answers are not streamed',
  background: 'leave it out; every request is a job',
  best_of: 'use n',
  reasoning_effort: 'use reasoning with its effort',
  safety_identifier: 'use user',
  prompt_cache_breakpoint: 'use cache_control',
  functions: 'use tools',
  function_call: 'use tool_choice, or tool_calls of a message',
  name: 'write it into the content',
  timeout: 'use timeout_seconds',
  custom_id: 'send it in metadata, or as a line of POST /v1/batches',
  // Anthropic: https://docs.anthropic.com/en/api/messages.
  system: 'send it as a message of role system',
  stop_sequences: 'use stop',
  max_tokens_to_sample: 'use max_tokens',
  thinking: 'use reasoning with its budget_tokens',
  output_config: 'use reasoning with its effort, and response_format',
  input_schema: 'use function with its parameters',
  // Bedrock's Converse: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
  modelId: 'use model',
  inferenceConfig: 'use max_tokens, temperature, top_p and stop',
  toolConfig: 'use tools and tool_choice',
  // Gemini: https://ai.google.dev/api/generate-content.
  contents: 'use messages',
  generationConfig: 'use max_tokens, temperature, top_p and stop',
  maxTokens: 'use max_tokens',
  maxOutputTokens: 'use max_tokens',
  topP: 'use top_p',
  topK: 'use top_k',
  stopSequences: 'use stop',
  systemInstruction: 'send it as a message of role system',
  // Of a batch.
  webhook_url: 'use webhook with its url',
  webhook_events: 'use webhook with its events',
  callback_url: 'use webhook with its url',
  completion_window: 'use deadline_seconds',
  endpoint: 'leave it out; every line is a completion',
  input_file_id: 'send the lines themselves as application/x-ndjson',
  method: 'leave it out; every line is a completion',
  params: 'use body',
  url: 'leave it out; every line is a completion',
} as const satisfies Record<string, string>;

const table: Record<string, string> = FOREIGN_FIELDS;

/** What to send in the place of a field; null for one that the table does not know. */
export const insteadOfField = (name: string): string | null =>
  Object.hasOwn(table, name) ? (table[name] ?? null) : null;
