/** Spans of a job's way. Without a collector nothing is recorded, and a caller's `traceparent` goes on as it came. */

import type { Log } from '../../domain/log.ts';
import { childOf, isSampled, spanIdOf, type Traceparent, traceIdOf } from '../../domain/traceparent.ts';
import { createSpanExport } from './export-spans.ts';

/** What a span may hold. A new name is added here, by someone who asks whether it can hold a secret, a prompt or a result. */
export type SpanAttributes = {
  'http.request.method'?: string;
  'http.route'?: string;
  'http.response.status_code'?: number;
  'gateway.request_id'?: string;
  'gateway.tenant'?: string;
  'gateway.job_id'?: string;
  'gateway.delivery_id'?: string;
  'gateway.provider'?: string;
  'gateway.credential'?: string;
  'gateway.attempt'?: number;
  'gateway.outcome'?: string;
};

/** As OpenTelemetry counts them (opentelemetry-proto, trace.proto, SpanKind). */
const KINDS = { server: 2, client: 3 } as const;

export type Span = {
  /** What whoever is called below this span is told; null where there is no trace. */
  traceparent: Traceparent | null;
  /** Call it once. */
  end: (name: string, attributes: SpanAttributes, failed: boolean) => void;
};

export type Tracer = {
  start: (kind: keyof typeof KINDS, parent: Traceparent | null) => Span;
  /** Sends what was recorded, within a bound. */
  close: () => Promise<void>;
};

/** `endpoint` is the base URL of a collector that speaks OTLP over HTTP; null records nothing. */
export const createTracer = ({
  endpoint,
  process,
  log,
}: {
  endpoint: string | null;
  process: 'api' | 'worker';
  log: Log;
}): Tracer => {
  const forward = (parent: Traceparent | null): Span => ({ traceparent: parent, end: () => {} });
  if (endpoint === null) return { start: (_, parent) => forward(parent), close: async () => {} };

  const spans = createSpanExport({
    url: `${endpoint.replace(/\/$/, '')}/v1/traces`,
    service: `llm-gateway-${process}`,
    log,
  });
  return {
    start: (kind, parent) => {
      if (parent !== null && !isSampled(parent)) return forward(parent);
      const traceparent = childOf(parent);
      const start = nowNs();
      return {
        traceparent,
        end: (name, attributes, failed) =>
          spans.add({
            traceId: traceIdOf(traceparent),
            spanId: spanIdOf(traceparent),
            ...(parent && { parentSpanId: spanIdOf(parent) }),
            name,
            kind: KINDS[kind],
            startTimeUnixNano: start,
            endTimeUnixNano: nowNs(),
            attributes: attributesJson(attributes),
            status: { code: failed ? 2 : 0 },
          }),
      };
    },
    close: spans.close,
  };
};

/** As text, because a number does not hold so many digits. */
const nowNs = (): string => `${Math.round((performance.timeOrigin + performance.now()) * 1_000)}000`;

const attributesJson = (attributes: SpanAttributes): object[] =>
  Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  }));
