import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { type CollectedSpan, type Collector, startCollector } from '../../support/network/collector.ts';
import { type Receiver, startReceiver } from '../../support/network/receiver.ts';
import { ANTHROPIC_KEY, OPENAI_KEY, startGateway, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { until } from '../../support/until.ts';

const record = { limit: 1_000, keys: 'clear' } as const;
/** A trace of its own for each test. */
const begin = (flags = '01') => {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` };
};
const attribute = ({ attributes }: CollectedSpan, name: string): unknown => {
  const { stringValue, intValue } = attributes.find(({ key }) => key === name)?.value ?? {};
  return intValue === undefined ? stringValue : Number(intValue);
};

describe('without a collector', () => {
  let gateway: TestGateway;
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await startReceiver();
    gateway = await startGateway({ sandbox: { record }, env: { WEBHOOK_ALLOW_PRIVATE: 'true' } });
  });
  afterAll(async () => {
    await gateway.stop();
    await receiver.close();
  });

  test('the caller’s traceparent goes through the queue to the provider as it came, on every try', async () => {
    const { traceparent } = begin();
    const text = 'forwarded sandbox:status=503 times=1';
    const { id } = await gateway.submit(text, { headers: { traceparent } });
    await gateway.finished(id);
    expect(gateway.callsWith(text).map((call) => call.traceparent)).toEqual([traceparent, traceparent]);
  });

  test('and to the webhook', async () => {
    const { traceparent } = begin();
    const { id } = await gateway.submit('told', {
      headers: { traceparent },
      fields: { webhook: { url: receiver.url } },
    });
    const other = await gateway.submit('told as well', { fields: { webhook: { url: receiver.url } } });
    await until('both arrived', () => receiver.received.length === 2);
    const sent = (job: string): unknown => receiver.of(job.replace('job_', 'evt_'))[0]?.headers.traceparent;
    expect([sent(id), sent(other.id)]).toEqual([traceparent, undefined]);
  });

  test('a request without one, or with one that is not valid, is accepted and sends none', async () => {
    const { traceparent } = begin();
    for (const headers of [{}, { traceparent: 'not-valid' }, { traceparent: `${traceparent}, ${traceparent}` }]) {
      const text = `untraced ${JSON.stringify(headers)}`;
      const { id } = await gateway.submit(text, { headers: headers as Record<string, string> });
      await gateway.finished(id);
      expect(gateway.sandbox.calls.at(-1)).toMatchObject({ traceparent: null });
    }
  });
});

describe('with a collector', () => {
  let gateway: TestGateway;
  let collector: Collector;
  beforeAll(async () => {
    collector = await startCollector();
    gateway = await startGateway({
      sandbox: { record },
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`, WEBHOOK_ALLOW_PRIVATE: 'true' },
    });
  });
  afterAll(async () => {
    await gateway.stop();
    await collector.close();
  });
  /** The spans of a trace by start, as soon as there are so many. */
  const spansOf = (traceId: string, count: number) =>
    until(`${count} spans of the trace came`, () => {
      const spans = collector.spans.filter((span) => span.traceId === traceId);
      return spans.length >= count && spans.toSorted((a, b) => (a.startTimeUnixNano < b.startTimeUnixNano ? -1 : 1));
    });

  test('a job is one trace: the request, below it each call, and each call’s id goes to the provider', async () => {
    const { traceId, spanId, traceparent } = begin();
    const text = 'traced sandbox:status=503 times=1';
    const { id } = await gateway.submit(text, { headers: { traceparent, 'X-Request-Id': 'traced-1' } });
    await gateway.finished(id);
    const [request, ...calls] = await spansOf(traceId, 3);
    expect(request).toMatchObject({
      service: 'llm-gateway-api',
      name: 'POST /v1/complete',
      kind: 2,
      parentSpanId: spanId,
      status: { code: 0 },
    });
    expect(request && attribute(request, 'gateway.request_id')).toBe('traced-1');
    expect(request && attribute(request, 'http.response.status_code')).toBe(202);
    expect(request && attribute(request, 'gateway.job_id')).toBe(id);
    for (const call of calls) {
      expect(call).toMatchObject({
        service: 'llm-gateway-worker',
        name: 'call bedrock',
        kind: 3,
        parentSpanId: request?.spanId,
      });
      expect(BigInt(call.endTimeUnixNano)).toBeGreaterThan(BigInt(call.startTimeUnixNano));
    }
    expect(calls.map((call) => [attribute(call, 'gateway.attempt'), attribute(call, 'gateway.outcome')])).toEqual([
      [1, 'unavailable'],
      [2, 'completed'],
    ]);
    expect(calls.map(({ status }) => status.code)).toEqual([2, 0]);
    expect(gateway.callsWith(text).map((call) => call.traceparent)).toEqual(
      calls.map((call) => `00-${traceId}-${call.spanId}-01`),
    );
  });

  test('an attempt to deliver is a span of the same trace, whose id goes to the webhook', async () => {
    const receiver = await startReceiver();
    const { traceId, traceparent } = begin();
    await gateway.submit('traced and told', { headers: { traceparent }, fields: { webhook: { url: receiver.url } } });
    const [request, , delivery] = await spansOf(traceId, 3);
    expect(delivery).toMatchObject({
      name: 'deliver webhook',
      kind: 3,
      parentSpanId: request?.spanId,
      status: { code: 0 },
    });
    expect(receiver.received.map(({ headers }) => headers.traceparent)).toEqual([
      `00-${traceId}-${delivery?.spanId}-01`,
    ]);
    expect(JSON.stringify(delivery)).not.toContain(new URL(receiver.url).port);
    await receiver.close();
  });

  test('a request without a trace begins one', async () => {
    const { id } = await gateway.submit('a new trace');
    await gateway.finished(id);
    const own = await until('its request came', () =>
      collector.spans.find((span) => span.name === 'POST /v1/complete' && attribute(span, 'gateway.job_id') === id),
    );
    expect(own.parentSpanId).toBeUndefined();
    expect(gateway.callsWith('a new trace')[0]?.traceparent).toContain(own.traceId);
  });

  test('a trace that its caller does not record is passed on, and not exported', async () => {
    const quiet = begin('00');
    const { id } = await gateway.submit('not sampled', { headers: { traceparent: quiet.traceparent } });
    await gateway.finished(id);
    const after = begin();
    await gateway.call('GET', '/v1/jobs', { headers: { traceparent: after.traceparent } });
    await spansOf(after.traceId, 1);
    expect(collector.spans.filter(({ traceId }) => traceId === quiet.traceId)).toEqual([]);
    expect(gateway.callsWith('not sampled')[0]?.traceparent).toBe(quiet.traceparent);
  });

  test('no prompt, result, metadata or key leaves with a span', async () => {
    const canary = randomBytes(12).toString('hex');
    const openai = `${OPENAI_KEY}${canary}`;
    const anthropic = `${ANTHROPIC_KEY}${canary}`;
    const { traceId, traceparent } = begin();
    const fields = { model: 'gpt-4o', metadata: { note: canary } };
    const jobs: Job[] = [];
    for (const [text, user] of [
      [`${canary}`, userKey(openai)],
      [`${canary} sandbox:status=401`, userKey(openai)],
      [`${canary} sandbox:fail=html`, userKey(anthropic, 'anthropic')],
      [`${canary} sandbox:status=400`, userKey(anthropic, 'anthropic')],
    ] as const) {
      jobs.push(
        await gateway.submit(text, {
          headers: { ...user, traceparent, 'Idempotency-Key': `${canary}-${jobs.length}` },
          fields: { ...fields, deadline_seconds: 2 },
        }),
      );
    }
    await gateway.call('GET', `/v1/jobs/${canary}?${canary}=1`, { headers: { traceparent } });
    await gateway.call('GET', `/v1/${canary}`, { key: canary, headers: { traceparent } });
    for (const { id } of jobs) expect((await gateway.finished(id)).finished_at).not.toBeNull();
    await spansOf(traceId, 10);
    const received = collector.received();
    for (let at = 0; at + 8 <= canary.length; at++) expect(received).not.toContain(canary.slice(at, at + 8));
    expect(received).not.toContain('This is the sandbox speaking');
  });

  test('a collector that refuses or is away holds up nothing, and one line tells of what was dropped', async () => {
    collector.answerWith(503);
    const { id } = await gateway.submit('refused by the collector');
    await gateway.finished(id);
    const [api] = gateway.apis;
    await until('the line is there', () =>
      api?.log.some(({ msg, count }) => msg === 'spans_dropped' && Number(count) > 0),
    );
    collector.answerWith(200);
  });
});
