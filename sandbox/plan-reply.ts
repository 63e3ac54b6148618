/** Decides a call's reply from its directives. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Answer, Ask, Reply, Wire } from '../providers/stand-in/wire.ts';
import { answerTo } from './answer.ts';
import { type Directives, type Failure, parseDirectives } from './directives.ts';
import { planStream } from './plan-stream.ts';
import type { Manner, Sendable } from './send-reply.ts';

/** How many texts with `times=` are remembered; the oldest is forgotten first. */
const COUNTED_TEXTS = 1_000;

export const sendable = (reply: Reply, waitMs = 0): Sendable => ({
  status: reply.status,
  headers: { 'content-type': 'application/json', ...reply.headers },
  body: JSON.stringify(reply.body),
  manner: 'whole',
  waitMs,
});

/** Counts the calls of one text for `times=`; says whether this one shall still fail. */
const createFailureCounter = () => {
  const counts = new Map<string, number>();
  return (prompt: string, times: number | undefined): boolean => {
    if (times === undefined) return true;
    const text = createHash('sha256').update(prompt).digest('base64');
    const failed = counts.get(text) ?? 0;
    counts.delete(text);
    if (failed >= times) return false;
    counts.set(text, failed + 1);
    const [oldest] = counts.keys();
    if (counts.size > COUNTED_TEXTS && oldest !== undefined) counts.delete(oldest);
    return true;
  };
};

/** Headers in a page, escaped as a browser would need it. */
const page = (headers: IncomingHttpHeaders): string => {
  const shown = JSON.stringify(headers, null, 1).replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1><pre>${shown}</pre></body></html>`;
};

const MANNERS: Partial<Record<Failure, Manner>> = {
  reset: 'reset',
  hang: 'hang',
  stall: 'stall',
  cut: 'cut',
  'bad-json': 'half',
};

type Plan = {
  wire: Wire;
  ask: Ask;
  answer: Answer;
  directives: Directives;
  headers: IncomingHttpHeaders;
  waitMs: number;
};

const failingReply = ({ wire, ask, answer, directives, headers, waitMs }: Plan): Sendable => {
  const { status, fail } = directives;
  const good = wire.answer(answer, ask);
  const message = `The sandbox was told to answer with status ${status ?? 500}.`;
  const error = wire.error({ kind: 'status', status: status ?? 500, message }, answer.id);
  switch (fail) {
    case undefined:
      return sendable(status === undefined ? good : error, waitMs);
    case 'quota':
      return sendable(wire.error({ kind: 'quota' }, answer.id), waitMs);
    case 'empty':
      return sendable({ ...good, body: {} }, waitMs);
    case 'no-usage':
      return sendable({ ...good, body: { ...good.body, usage: undefined } }, waitMs);
    case 'error-in-200':
      return sendable({ ...good, body: { ...error.body, usage: good.body.usage } }, waitMs);
    case 'html':
      return {
        ...sendable(good, waitMs),
        status: status ?? 200,
        headers: { ...good.headers, 'content-type': 'text/html; charset=utf-8' },
        body: page(headers),
      };
    default:
      return { ...sendable(good, waitMs), manner: MANNERS[fail] ?? 'whole' };
  }
};

/** About `delayMs` for an answer of 50 tokens, more for a longer one, and never twice the same. */
const usualWaitMs = (delayMs: number, outputTokens: number): number =>
  delayMs * Math.min(0.5 + outputTokens / 100, 5) * (0.75 + Math.random() / 2);

/** Failures that are an answer's own, and so have a form in events. */
const IN_EVENTS: ReadonlySet<Failure | undefined> = new Set([
  undefined,
  'stall',
  'cut',
  'bad-json',
  'empty',
  'error-in-200',
  'no-usage',
]);

/** About as fast as people see models write. */
const USUAL_PAUSE_MS = 20;

export const createReplyPlanner = ({ delayMs }: { delayMs: number }) => {
  const stillFails = createFailureCounter();

  /** Throws a `Refusal` for directives that do not exist. */
  return (wire: Wire, ask: Ask, headers: IncomingHttpHeaders, id: string): Sendable => {
    const directives = parseDirectives(ask.prompt);
    const answer = answerTo(wire.provider, ask, directives, id);
    const waitMs = directives.delay ?? usualWaitMs(delayMs, answer.tokens.output);
    const isFailing = stillFails(ask.prompt, directives.times);
    const failing = isFailing ? directives : {};
    const { streaming } = wire;
    if (ask.stream && streaming && failing.status === undefined && IN_EVENTS.has(failing.fail)) {
      const pauseMs = directives.pause ?? Math.min(delayMs, USUAL_PAUSE_MS);
      return planStream({ wire, streaming, ask, answer, usage: ask.stream.usage, failing, waitMs, pauseMs });
    }
    if (!isFailing) return sendable(wire.answer(answer, ask), waitMs);
    const reply = failingReply({ wire, ask, answer, directives, headers, waitMs });
    const retryAfter = directives['retry-after'];
    if (retryAfter !== undefined) reply.headers['retry-after'] = String(retryAfter);
    return reply;
  };
};
