/** What the sandbox needs to know to speak as one provider. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Provider } from '../catalogue.ts';

export type Finish = 'stop' | 'stop_sequence' | 'length' | 'content_filter' | 'tool_calls' | 'other';

/** A tool, or a form of the answer, with its JSON Schema. */
export type Form = { name: string; schema: unknown };

/** What an answer is to have beside a text. */
export type Wants = {
  /** Tools that the model may call at this turn: none of those that were offered if the last message has their results. */
  calls: Form[];
  /** Of the text; null if it is free. */
  form: Form | null;
  reasoning: boolean;
  choices: number;
  logprobs: boolean;
  /** Images and files that came along. */
  media: number;
};

export type Ask = {
  model: string;
  /** Every text of the request, in order. */
  texts: string[];
  /** The last user message. */
  prompt: string;
  maxTokens: number | null;
  temperature: number | null;
  stop: string[];
  wants: Wants;
  /** In the place of a text. */
  vectors?: { inputs: string[]; tokens: number; dimensions: number; base64: boolean };
  /** Whether the answer is to come as events, and whether they are to tell what was used; null if it is to come whole. */
  stream: { usage: boolean } | null;
};

export type Answer = {
  id: string;
  model: string;
  text: string;
  /** What the model thought, with its mark; null if it was not asked to. */
  reasoning: { text: string; signature: string } | null;
  calls: { id: string; name: string; arguments: unknown }[];
  /** How often the same is said. */
  choices: number;
  logprobs: boolean;
  finish: Finish;
  stopSequence: string | null;
  /** `input` holds neither of the two behind it, and `output` holds those of reasoning. */
  tokens: { input: number; cached: number; cacheWritten: number; output: number; reasoning: number };
};

/** `bad_key` and `quota` have a form of their own at each provider; all else goes by status. */
export type Trouble =
  | { kind: 'status'; status: number; message: string }
  | { kind: 'bad_key'; key: string }
  | { kind: 'quota' };

export type Reply = { status: number; headers: Record<string, string>; body: object };
/** An answer, of which a failing one may leave parts out. */
export type Whole = Reply & { body: Record<string, unknown> };

/** `data` is sent as JSON, or as it is if it is a text. */
export type SentEvent = { name: string | null; data: unknown };

export type Streaming = {
  /** Which a client puts together to the body of the same answer. `usage` as of `Ask`. */
  events(answer: Answer, asked: { usage: boolean }): SentEvent[];
  /** The one by which a stream ends in its middle, behind `sent` others; `body` is that of the same error where no answer began. */
  failure(body: object, sent: number): SentEvent;
};

/** Thrown by `readAsk` where the provider would refuse the request. */
export class Refusal extends Error {
  readonly trouble: Trouble;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'Refusal';
    this.trouble = { kind: 'status', status, message };
  }
}

/** A documented limit; the first row that names a field counts. */
export type Limit = {
  models: RegExp;
  temperature?: readonly [min: number, max: number];
  maxTokens?: number;
};

/** What the real provider refuses of a request that is in form, in its own words: a program that works here shall work there. */
export type Demands = {
  /** Models of an account's own, which no price list has; null if there are none. */
  ownModels: RegExp | null;
  limits: readonly Limit[];
  noSuchModel(model: string): Refusal;
  temperature(value: number, range: readonly [min: number, max: number]): string;
  maxTokens(value: number, max: number, model: string): string;
};

export type Wire = {
  provider: Provider;
  /** The paths that it answers, below its base URL; a group named `model` holds the model if the path does. */
  path: RegExp;
  /** The credential as sent, '' where none was sent in the right form. */
  keyOf(headers: IncomingHttpHeaders): string;
  readAsk(body: unknown, headers: IncomingHttpHeaders, pathModel: string): Ask;
  answer(answer: Answer, ask: Ask): Whole;
  /** Null if it has no answers in events. */
  streaming: Streaming | null;
  error(trouble: Trouble, id: string): Reply;
  demands: Demands;
};
