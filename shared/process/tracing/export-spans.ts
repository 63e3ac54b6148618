/** Sends spans to a collector as OTLP over HTTP in JSON (https://opentelemetry.io/docs/specs/otlp/), beside the work and never in its way. */
import { describeError, type Log } from '../../domain/log.ts';

const SEND_EVERY_MS = 1_000;
const SEND_LIMIT_MS = 5_000;
const MOST_A_SEND = 512;
/** Past this many that wait, new ones are dropped: a collector that is away must not cost memory. */
const MOST_WAITING = 4_096;
/** How long a process that stops waits for its last spans. */
const CLOSE_LIMIT_MS = 2_000;

export type SpanExport = {
  add: (span: object) => void;
  close: () => Promise<void>;
};

export const createSpanExport = ({ url, service, log }: { url: string; service: string; log: Log }): SpanExport => {
  let waiting: object[] = [];
  let dropped = 0;
  let sending: Promise<void> | null = null;

  const post = async (spans: object[], limitMs: number): Promise<void> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        resourceSpans: [
          {
            resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
            scopeSpans: [{ scope: { name: 'llm-gateway' }, spans }],
          },
        ],
      }),
      redirect: 'error',
      signal: AbortSignal.timeout(limitMs),
    });
    await response.body?.cancel();
    if (!response.ok) dropped += spans.length;
  };
  const send = async (limitMs: number): Promise<void> => {
    while (waiting.length > 0) {
      const spans = waiting.splice(0, MOST_A_SEND);
      await post(spans, limitMs).catch((error: unknown) => {
        dropped += spans.length;
        log.debug('trace_export_failed', describeError(error));
      });
    }
    if (dropped > 0) log.warn('spans_dropped', { count: dropped });
    dropped = 0;
  };
  const timer = setInterval(() => {
    // One at a time: what comes meanwhile waits behind a collector that is slow.
    sending ??= send(SEND_LIMIT_MS).finally(() => {
      sending = null;
    });
  }, SEND_EVERY_MS);

  return {
    add: (span) => {
      if (waiting.length < MOST_WAITING) waiting.push(span);
      else dropped += 1;
    },
    close: async () => {
      clearInterval(timer);
      const limit = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_LIMIT_MS).unref());
      await Promise.race([Promise.resolve(sending).then(() => send(CLOSE_LIMIT_MS)), limit]);
      waiting = [];
    },
  };
};
