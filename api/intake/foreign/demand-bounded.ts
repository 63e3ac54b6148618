/** Under a budget a call must not be able to cost more than what is reserved for it: what nobody can bound is refused. */
import { RequestError } from '../../../shared/domain/errors.ts';
import { type ForeignBody, folded } from './read-foreign.ts';
import { LISTED_TIERS, type Words } from './words.ts';

const unbounded = (param: string, what: string): RequestError =>
  new RequestError('budget_unbounded', {
    param,
    message: `${what} may cost more than can be told beforehand, and this tenant has a budget; leave it out.`,
  });

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Types of parts that cost their text. */
const TEXTS: ReadonlySet<unknown> = new Set([
  ...['text', 'refusal', 'input_text', 'output_text', 'message', 'tool_use', 'tool_result', 'thinking'],
  ...['redacted_thinking', 'function_call', 'function_call_output', 'custom_tool_call', 'custom_tool_call_output'],
  ...['reasoning', 'summary_text', 'reasoning_text', 'function', 'custom'],
]);

/** Members of a message or part that are text, its frame, or what is looked into. */
const FRAME: ReadonlySet<string> = new Set([
  ...['role', 'content', 'name', 'tool_calls', 'tool_call_id', 'refusal', 'function_call', 'type', 'text', 'id'],
  ...['function', 'custom', 'cache_control', 'status', 'phase', 'call_id', 'arguments', 'input', 'output', 'summary'],
  ...['is_error', 'tool_use_id', 'thinking', 'signature', 'data', 'encrypted_content', 'annotations', 'logprobs'],
]);

/** The path to the first thing that is more than text; null if there is none. */
const mediaIn = (value: unknown, path: string): string | null => {
  if (Array.isArray(value)) {
    for (const [index, part] of value.entries()) {
      const found = mediaIn(part, `${path}[${index}]`);
      if (found !== null) return found;
    }
    return null;
  }
  if (!isObject(value)) return null;
  // Without both it may be a reference to what lies at the provider: `{"id":"msg_1"}`.
  if (value.type === undefined ? value.role === undefined : !TEXTS.has(value.type)) return path;
  const unknown = Object.keys(value).find((name) => !FRAME.has(name));
  if (unknown !== undefined) return `${path}.${unknown}`;
  for (const name of ['content', 'output', 'summary']) {
    const found = mediaIn(value[name], `${path}.${name}`);
    if (found !== null) return found;
  }
  return null;
};

/** Members that are looked into, each in its own way. */
const JUDGED = {
  all: ['model', 'messages', 'input', 'tools', 'service_tier', 'cache_control'],
  input: ['model', 'input'],
} as const;

/** Whether a parser may take another member than `type` for it. */
const hasOtherType = (tool: Record<string, unknown>): boolean =>
  Object.keys(tool).some((name) => name !== 'type' && folded(name) === 'type');

/** Throws RequestError 400 for the first thing that nobody can bound. */
export const demandBounded = (
  body: ForeignBody,
  billed: 'all' | 'input',
  { bounded, limits, count, replaced, ownTools }: Words,
): void => {
  const known: ReadonlySet<string> = new Set([
    ...JUDGED[billed],
    ...bounded,
    ...limits,
    ...replaced,
    ...(count ? [count] : []),
  ]);
  for (const name of body.members.keys()) if (!known.has(name)) throw unbounded(name, name);
  for (const name of [...limits, ...(count ? [count] : [])]) demandWhole(body, name);

  const tier = body.scalar('service_tier') ?? null;
  if (!LISTED_TIERS.includes(tier)) throw unbounded('service_tier', 'This tier');
  const tools = body.value('tools') ?? [];
  for (const [index, tool] of (Array.isArray(tools) ? tools : [tools]).entries()) {
    const type = isObject(tool) && !hasOtherType(tool) ? (tool.type ?? ownTools[0]) : null;
    if (typeof type !== 'string' || !ownTools.includes(type))
      throw unbounded(`tools[${index}]`, 'A tool that the provider runs');
  }
  for (const name of ['messages', 'input', 'system', 'instructions']) {
    const media = mediaIn(body.value(name), name);
    if (media !== null) throw unbounded(media, 'What is more than text');
  }
};

const demandWhole = (body: ForeignBody, name: string): void => {
  const value = body.scalar(name) ?? null;
  if (value === null || (typeof value === 'number' && Number.isSafeInteger(value) && value > 0)) return;
  throw new RequestError('invalid_body', { param: name, message: `${name} must be a whole number above 0.` });
};
