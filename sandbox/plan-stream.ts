/** A reply in events, whole or broken in one of the ways in which streams break. */
import type { Answer, Ask, SentEvent, Streaming, Wire } from '../providers/stand-in/wire.ts';
import type { Directives } from './directives.ts';
import type { Sendable } from './send-reply.ts';

const written = ({ name, data }: SentEvent): string =>
  `${name === null ? '' : `event: ${name}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;

/** The same without what it says of usage, wherever it stands. */
const withoutUsage = (event: SentEvent): SentEvent => ({
  ...event,
  data: JSON.parse(JSON.stringify(event.data, (name, value: unknown) => (name === 'usage' ? undefined : value))),
});

type Plan = {
  wire: Wire;
  streaming: Streaming;
  ask: Ask;
  answer: Answer;
  /** Whether the request asks what was used. */
  usage: boolean;
  failing: Pick<Directives, 'fail' | 'after'>;
  waitMs: number;
  pauseMs: number;
};

const broken = ({ wire, streaming, answer, usage, failing: { fail, after } }: Plan): readonly SentEvent[] => {
  const events = streaming.events(answer, { usage });
  const before = events.slice(0, after ?? events.length / 2);
  switch (fail) {
    case 'empty':
      return [];
    case 'no-usage':
      return events.map(withoutUsage);
    case 'cut':
    case 'stall':
      return before;
    case 'error-in-200': {
      const message = 'The sandbox was told to fail in the middle of its answer.';
      const { body } = wire.error({ kind: 'status', status: 500, message }, answer.id);
      return [...before, streaming.failure(body, before.length)];
    }
    default:
      return events;
  }
};

export const planStream = (plan: Plan): Sendable => {
  const { wire, ask, answer, waitMs, pauseMs } = plan;
  const { status, headers } = wire.answer(answer, ask);
  const parts = broken(plan).map(written);
  const { fail } = plan.failing;
  const text = parts.join('');
  return {
    status,
    headers: { ...headers, 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' },
    body: { parts: fail === 'bad-json' ? [text.slice(0, text.length / 2)] : parts, pauseMs },
    manner: fail === 'cut' || fail === 'stall' ? fail : 'whole',
    waitMs,
  };
};
