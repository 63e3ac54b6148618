/** What describes the interface, and says how the process does. */
import { z } from 'zod';
import { RequestError } from '../../shared/domain/errors.ts';
import { NAMED } from '../../shared/domain/wire.ts';
import type { Config } from '../../shared/process/config/config.ts';
import type { ApiMetrics } from '../../shared/process/metrics/api-metrics.ts';
import { METRICS_TYPE } from '../../shared/process/metrics/serve-metrics.ts';
import { operation } from '../access/operation.ts';
import { CONTENT_SECURITY_POLICY, renderPage } from './docs/page.ts';
import type { Document } from './openapi/form.ts';
import { storedAnswer } from './stored-answer.ts';

const health = z.object({ status: z.enum(['ok', 'ready']), sandbox: z.boolean() }).register(NAMED, { id: 'Health' });
type Health = z.infer<typeof health>;

type Needs = {
  config: Pick<Config, 'sandbox'>;
  /** Must answer soon, whatever Redis does. */
  isReady: () => Promise<boolean>;
  /** Whether this process was told to stop. */
  isStopping: () => boolean;
  metrics: Pick<ApiMetrics, 'render'>;
  /** Of the calls of this port. */
  document: Document;
};

/** Those that can be `rate_limited` are counted by the network that asks. Probes are not. */
export const PROCESS_OPERATIONS = [
  operation({
    method: 'GET',
    path: '/',
    access: 'anyone',
    summary: 'Leads to the page',
    answers: { 302: { description: 'To `/docs`.', headers: ['Location'] } },
    errors: ['rate_limited'],
    handle: () => (c) => c.redirect('/docs'),
  }),

  operation({
    method: 'GET',
    path: '/healthz',
    access: 'anyone',
    summary: 'Whether the process runs',
    answers: { 200: { description: 'It runs.', schema: health } },
    handle:
      ({ config: { sandbox } }: Needs) =>
      (c) =>
        c.json<Health>({ status: 'ok', sandbox }),
  }),

  operation({
    method: 'GET',
    path: '/readyz',
    access: 'anyone',
    summary: 'Whether Redis answers and is fit for use, and this process is not stopping',
    answers: { 200: { description: 'It does.', schema: health } },
    errors: ['queue_unavailable', 'stopping'],
    handle:
      ({ config: { sandbox }, isReady, isStopping }: Needs) =>
      async (c) => {
        if (isStopping()) throw new RequestError('stopping');
        if (!(await isReady())) throw new RequestError('queue_unavailable');
        return c.json<Health>({ status: 'ready', sandbox });
      },
  }),

  operation({
    method: 'GET',
    path: '/metrics',
    access: 'anyone',
    summary: 'What Prometheus scrapes',
    answers: { 200: { description: 'Prometheus’ text format.', type: 'text/plain' } },
    errors: ['rate_limited'],
    handle:
      ({ metrics }: Needs) =>
      async (c) =>
        c.body(await metrics.render(), 200, { 'Content-Type': METRICS_TYPE }),
  }),

  operation({
    method: 'GET',
    path: '/openapi.json',
    access: 'anyone',
    summary: 'This document',
    headers: ['If-None-Match'],
    answers: {
      200: {
        description: 'An OpenAPI 3.1 document.',
        type: 'application/json',
        headers: ['ETag', 'Vary', 'Content-Encoding'],
      },
      304: { description: 'It is as `If-None-Match` says.', headers: ['ETag', 'Vary'] },
    },
    errors: ['rate_limited'],
    handle: ({ document }: Needs) => storedAnswer(JSON.stringify(document), { 'Content-Type': 'application/json' }),
  }),

  operation({
    method: 'GET',
    path: '/docs',
    access: 'anyone',
    summary: 'This document as a page',
    headers: ['If-None-Match'],
    answers: {
      200: {
        description: 'A page that needs no other host.',
        type: 'text/html',
        headers: ['ETag', 'Vary', 'Content-Encoding'],
      },
      304: { description: 'It is as `If-None-Match` says.', headers: ['ETag', 'Vary'] },
    },
    errors: ['rate_limited'],
    handle: ({ document }: Needs) =>
      storedAnswer(renderPage(document), {
        'Content-Type': 'text/html; charset=UTF-8',
        'Content-Security-Policy': CONTENT_SECURITY_POLICY,
        'X-Content-Type-Options': 'nosniff',
        'Referrer-Policy': 'no-referrer',
      }),
  }),
];
