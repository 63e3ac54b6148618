/**
 * Every Redis name, its type and its life: the only place that spells them. The scripts use the same names (`withNames`).
 * All keys of a tenant share one slot: the shard's tag `{s<k>}`. The registry of tenants and platform keys has a tag of its own, `{registry}`:
 * a key is looked up before its tenant is known.
 */

/** Name → [what follows the shard's tag, type, contents and life]. A name that ends in `:` is followed by an id. */
const NAMES = {
  /** hash: the job's record; until its retention ends. Of a line from its first turn on, until its batch's ends. */
  JOB: 'job:',
  /** string: the request, or where its pieces are (`storedText`); until the job is final. */
  REQUEST: 'request:',
  /** hash: number → a piece of a long request, and what holds its bytes until it is accepted; as REQUEST. */
  REQUEST_BODY: 'request-body:',
  /** string: the result, likewise; as long as the record. */
  RESULT: 'result:',
  /** hash: number → a piece of a long answer; as RESULT. `<job id>.<attempt>` until that is settled, at most 60 s from its last piece. */
  ANSWER: 'answer:',
  /** list: an answer that is streamed, `<job id>.<attempt>`, from its first content on: `p1` or `s1.<seal>`, then its events, some in each; 15 min from the first of them, a minute from the end of the job. */
  EVENTS: 'events:',
  /** channel: `<attempt> <number> <events>` as they are written, by job id. */
  EVENT_NEWS: 'event-news:',
  /** string: the sealed user key of a job, or of a batch under its stem; until it is final, at most its deadline + 60 s. */
  SEALED: 'sealed:',
  /** string: `<request digest> <id of job or batch>`, `<tenant>:<digest of route and key>`; 24 h from acceptance. `- <id>` while a batch is being staged. */
  IDEMPOTENCY: 'idempotency:',
  /** set of API process ids that wait for news of the job; until it is final, at most 90 s. */
  WATCHERS: 'watchers:',
  /** sorted set: `<tenant>:<digest of a request and its platform key>`; jobs of it whose submitter waits, or left → until when its lease is, ms; 20 min from the last. */
  WAITED: 'waited:',
  /** sorted set: jobs whose submitter waits and that end if it does not come back → likewise; until they are looked at, or answered. */
  LEASES: 'leases',
  /** channel: `<job id> <status>` of jobs whose status changed, for one API process. */
  NEWS: 'news:',
  /** channel: the ids of running jobs that are to be aborted, or what the ids of a batch's lines begin with. */
  ABORTS: 'aborts',

  /** hash: what is common to a lane's jobs, and where the lane stands; an hour past the last deadline in it. */
  LANE: 'lane:',
  /** list: ids never handed off, in order of acceptance; a batch's lane (`<stem>.<number>`) lists what they have after the stem. */
  LANE_NEW: 'lane-new:',
  /** sorted set: ids that came back, by ticket; always served before the new ones. */
  LANE_BACK: 'lane-back:',
  /** hash: a batch's record and counters, by its stem (`stemOf`); until its retention ends. */
  BATCH: 'batch:',
  /** hash: what was staged for 32 lines, `<stem><first three characters of the line's number>`; the last one → head, custom id, metadata and request, a text line each. As BATCH. */
  BATCH_LINES: 'batch-lines:',
  /** set: a batch's lines that had a turn and are not final. */
  BATCH_OPEN: 'batch-open:',
  /** list: what the ids of final lines have after the stem, in the order in which they ended; `lane <number>` stands for a whole BATCH_REST. As BATCH. */
  BATCH_OUTCOMES: 'batch-outcomes:',
  /** list: a lane's LANE_NEW at the time when its batch was stopped: lines that never had a turn. As BATCH. */
  BATCH_REST: 'batch-rest:',
  /** hash: the batch's part of USAGE, `<day>|` before each field. As BATCH. */
  BATCH_USAGE: 'batch-usage:',
  /** hash: BATCH_USAGE as it was when the batch ended, where an event tells of that. As BATCH. */
  BATCH_TOLD: 'batch-told:',
  /** stream: a tenant's batches in order of publication, field `id`; entries go with their record. */
  BATCHES: 'batches:',
  /** sorted set: stems of all batches → when upkeep has something to do with them, ms. */
  BATCH_DUE: 'batch-due',
  /** hash: a provider account and model under one rate limit: parked until, cap, in flight, who was throttled last; as LANE. */
  UPSTREAM: 'upstream:',
  /** list: lanes that wait for a slot of the upstream's cap. */
  UPSTREAM_LANES: 'upstream-lanes:',

  /** hash: a tenant's own virtual start, in flight, waiting by class, turn, weight, its own limits, and how full its buckets of requests and tokens are, and how many bytes are stored; until 14 days after it is deleted. */
  TENANT: 'tenant:',
  /** list: a tenant's ready lanes of one class, `<tenant>:<class>`, in round-robin order. */
  LANES: 'lanes:',
  /** stream: a tenant's jobs in order of acceptance, field `id`; entries go with their record, or soon after. */
  JOBS: 'jobs:',
  /** hash: `<tenant>:<day>`; `<provider>|<model>|<credential>` → whole numbers with spaces between, as `account.lua` lists them; 400 days. */
  USAGE: 'usage:',
  /** hash: `<tenant>:<month>`; `<ledger>:<used | reserved | missed>` → nano-dollars, `<ledger>:told:<percent>` → the cap that it was told of; 400 days. */
  BUDGET: 'budget:',
  /** string: bytes of a tenant's jobs that are gone at a time, `<ends ms>:<tenant>`, until then; or of a batch with all its lines, `<stem>:<tenant>`, as BATCH. */
  STORED_BYTES: 'stored-bytes:',
  /** sorted set: what follows the name of each STORED_BYTES → when upkeep looks at it, ms. */
  STORED_UNTIL: 'stored-until',
  /** set: tenants that ever had a job or a webhook secret here. */
  TENANTS: 'tenants',

  /** stream, of a shard and of the registry: the audit log's rows, field `row`; until AUDIT_TTL_SECONDS. */
  AUDIT: 'audit',
  /** stream, beside AUDIT: the seals over its rows, numbered `<n>-0`; as long as the rows. */
  AUDIT_SEALS: 'audit-seals',
  /** hash, beside AUDIT: the last seal that was forgotten, and a MAC over that; kept. */
  AUDIT_CHECKPOINT: 'audit-checkpoint',
  /** string, beside AUDIT: the worker that seals; 3 s. */
  AUDIT_LEASE: 'audit-lease',

  /** hash: virtual time, capacity, completion rate, default limits, waiting jobs by class, how often budgets' thresholds were told of. */
  SCHEDULER: 'scheduler',
  /** sorted set: tenants with something runnable → virtual start. */
  READY: 'ready',
  /** sorted set: the same, those with interactive work only. */
  READY_INTERACTIVE: 'ready-interactive',
  /** sorted set: tenants kept out of READY by their share or a limit of theirs → when to look again, ms. */
  CAPPED: 'capped',
  /** sorted set: lanes of one class that are not empty → since when, ms; never later than the time of their first id. */
  WAITING_LANES: 'waiting-lanes:',
  /** sorted set: parked lanes → until, ms. */
  PARKED: 'parked',
  /** sorted set: ids in back-off → due, ms. */
  DELAYED: 'delayed',
  /** sorted set: unfinished ids → deadline, ms. */
  DEADLINES: 'deadlines',
  /** hash: handed-off ids → `<hand-off>:<since ms>`; the truth about what BullMQ should know. */
  INFLIGHT: 'inflight',
  /** set: what ABORTS was told of jobs and batches that are not final. */
  CANCELLING: 'cancelling',
  /** hash: marks of what is stopped of a tenant's work, how far the end of that is, and counts of it; until 14 days after the tenant is deleted. */
  STOPS: 'stops:',
  /** set: tenants of which something is stopped and has not all ended. */
  STOPPING: 'stopping',
  /** hash: worker id → `<slots>:<alive until ms>`. */
  WORKERS: 'workers',
  /** hash: an event on its way to a tenant's endpoint, or one that was; 24 h after it arrived, 7 days after it failed. */
  DELIVERY: 'delivery:',
  /** sorted set: every delivery → when its next step is due, ms. */
  OUTBOX: 'outbox',
  /** sorted set: a tenant's deliveries → when their event happened, ms. */
  TENANT_DELIVERIES: 'tenant-deliveries:',
  /** sorted set: a tenant's failed deliveries → since when, ms. */
  FAILED_DELIVERIES: 'failed-deliveries:',
  /** hash: an origin that a tenant's events go to: in flight, failures, paused until; a day past the last hand-off. */
  ENDPOINT: 'endpoint:',
  /** list: deliveries that wait for room at their endpoint. */
  ENDPOINT_LINE: 'endpoint-line:',
  /** sorted set: `<endpoint> <tenant>` of endpoints that are left alone → until, ms. */
  PAUSED_ENDPOINTS: 'paused-endpoints',
  /** sorted set: a tenant's endpoints with a line, which wait for the tenant's room → turn. */
  ENDPOINT_TURNS: 'endpoint-turns:',
  /** sorted set: tenants with endpoints in turn → when to look again, ms. */
  WAITING_TENANTS: 'waiting-tenants',
  /** hash: deliveries handed off and not settled, `of:<tenant>` and `all`; `slots`, how many the workers have under way at once; `turn`, the last one given. */
  OUTGOING: 'outgoing',
  /** string: a URL that answered 410, `<tenant>:<SHA-1 of it>`; 30 days. */
  DISABLED_URL: 'disabled-url:',
  /** hash: a tenant's webhook secrets, sealed; until 14 days after the tenant is deleted. */
  WEBHOOK_SECRETS: 'webhook-secrets:',
  /** string: the worker that does upkeep; 3 s. */
  UPKEEP_LEASE: 'upkeep-lease',
  /** string: the number of shards of this installation (only under the first shard's tag). */
  SHARDS: 'shards',
  /** sorted set: function libraries of the gateway's releases → when one of their workers was last there, ms (only under the first shard's tag). */
  LIBRARIES: 'libraries',
  /** string: the version of what is stored, on each shard; absent before there were versions. */
  SCHEMA: 'schema',
  /** hash: worker → the newest version of what is stored that its release knows; as WORKERS. */
  WORKER_SCHEMAS: 'worker-schemas',
  /** string: `sandbox` or `live`, what this installation's jobs are for (only under the first shard's tag). */
  MODE: 'mode',
  /** string: marks of the peppers that the gateway's process had which started last (only under the first shard's tag). */
  PEPPER_MARKS: 'pepper-marks',

  /** hash, in the registry: a tenant's name, limits, allowed models, weight and whether it is disabled; until it is deleted. */
  TENANT_RECORD: 'tenant-record:',
  /** sorted set, in the registry: ids of all tenants, by id, which is the order of creation. */
  TENANT_RECORDS: 'tenant-records',
  /** hash, in the registry: a platform key's HMAC, pepper, tenant, name, scopes and times; until it is revoked, or 30 days after it expired. */
  PLATFORM_KEY: 'platform-key:',
  /** sorted set, in the registry: ids of a tenant's platform keys, by id. */
  TENANT_KEYS: 'tenant-keys:',

  /** hash, in the registry: `<tenant>` or `<tenant>:<platform key>` → `<number> <reason> <actor>`, what the tenant's shard has still to carry out. */
  STOP_ORDERS: 'stop-orders',
  /** string, in the registry: the number of the last stop order; kept. */
  STOP_ORDER_NUMBER: 'stop-order-number',

  /** string, in memory-only storage: the secret of the period that follows, in base64; until a minute after the period. */
  PERIOD_SECRET: 'period-secret:',

  /** BullMQ's own keys of the queue: `<job id>-<hand-off>` follows for a job. */
  COMPLETIONS: 'completions:',
  /** BullMQ's own keys of the queue: `<delivery id>-<hand-off>` follows for a job. */
  DELIVERIES: 'deliveries:',
} as const;

export type KeyName = keyof typeof NAMES;

/** BullMQ's names of the queues; the keys of each stand under the name in capitals. */
export const QUEUE_NAMES = ['completions', 'deliveries'] as const;
export type QueueName = (typeof QUEUE_NAMES)[number];

/** The prefix under which all keys of a shard stand, as BullMQ wants it: without the colon. */
export const shardTag = (shard: number): string => `{s${shard}}`;

/** The prefix under which tenants and platform keys stand. */
export const REGISTRY_TAG = '{registry}';

/** The prefix under which the secrets of periods stand, on a server of their own. */
export const EPHEMERAL_TAG = '{ephemeral}';

/** A key of a shard: `key('{s0}', 'JOB', id)`. */
export const key = (tag: string, name: KeyName, id = ''): string => `${tag}:${NAMES[name]}${id}`;

const STRING_COMMENT_OR_NAME = /'[^'\n]*'|--[^\n]*|\b[A-Z][A-Z_]+\b/g;
export const isKeyName = (text: string): text is KeyName => Object.hasOwn(NAMES, text);

/** A Lua text in which the names stand for themselves, behind the function `names(tag)` that its `K` is made by. They are fields of one table: a chunk of Lua has room for 200 locals. */
export const withNames = (text: string): string => {
  const used = new Set<KeyName>();
  const body = text.replaceAll(STRING_COMMENT_OR_NAME, (found) => {
    if (!isKeyName(found)) return found;
    used.add(found);
    return `K.${found}`;
  });
  const fields = [...used].map((name) => `${name} = tag .. ':${NAMES[name]}'`);
  return `local function names(tag) return { ${fields.join(', ')} } end\n${body}`;
};
