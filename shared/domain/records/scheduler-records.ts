/** What the scheduler knows of tenants, lanes and upstreams. */
import { record } from './record.ts';

export const TENANT_FIELDS = record({
  weight: 'its share beside the others’',
  own: 'its virtual start while it is not ready',
  turn: 'how many turns it had',
  inflight: 'its jobs at the workers',
  'waiting:': '<class>: its jobs that wait',
  requests: 'level of its bucket of requests, in 1/60,000',
  requests_at: 'when that was so',
  tokens: 'level of its bucket of tokens, in 1/60,000',
  tokens_at: 'when that was so',
  tokens_until: 'until when its next job waits for tokens',
  stored_bytes: 'what it stores',
  max_in_flight: 'its own limit',
  tokens_per_minute: 'its own limit',
  'budget:': '<credential>: its own cap of a month',
});

export const LANE_FIELDS = record({
  tenant: 'whose it is',
  class: '`interactive` or `batch`',
  upstream: 'whose rate limit holds for it',
  at: 'where it stands: `idle`, `ready`, `parked` or `capped`',
  tail: 'the last ticket given',
  served: 'the last ticket served',
  average: 'how long its jobs hold a slot, ms',
  parked_until: 'until when it alone is parked',
  throttled: '`<passes> <events> <times apart>` of the upstream at its last throttle',
});

export const UPSTREAM_FIELDS = record({
  inflight: 'calls under way',
  cap: 'most of them; absent without a limit',
  cap_before: 'the cap before the throttle that is being looked into',
  parked_until: 'until when nobody calls',
  strikes: 'parks in a row',
  suspect: 'the job that was throttled last',
  shared: '1 if another was throttled too',
  throttled_at: 'when that was',
  passes: 'successes',
  events: 'throttles that began a park',
});
