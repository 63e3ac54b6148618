/** Tenants, their platform keys, the audit log and the queues, for whoever runs the gateway. */
import type { Hono } from 'hono';
import { z } from 'zod';
import { isStreamId } from '../../../../shared/domain/audit/stream-id.ts';
import { RequestError } from '../../../../shared/domain/errors.ts';
import {
  isManagedTenantId,
  isPlatformKeyId,
  isTenantId,
  type PlatformKeyId,
  type TenantId,
} from '../../../../shared/domain/ids.ts';
import { keyRotation, newKey, newTenant, tenantPatch } from '../../../../shared/domain/tenants/changes.ts';
import type { TenantWork } from '../../../../shared/domain/tenants/schema.ts';
import type { Config } from '../../../../shared/process/config/config.ts';
import type { AuditStore } from '../../../../shared/storage/audit/audit-store.ts';
import { NO_COUNTS, type SchedulerStore } from '../../../../shared/storage/jobs/scheduler-store.ts';
import {
  type IssueAnswer,
  MOST_KEYS,
  type PlatformKeyStore,
} from '../../../../shared/storage/tenants/platform-key-store.ts';
import type { TenantStore } from '../../../../shared/storage/tenants/tenant-store.ts';
import { noWork, type WorkStore } from '../../../../shared/storage/tenants/work-store.ts';
import { route } from '../../../access/operation.ts';
import { type ReadJson, readOptionalJson } from '../../../http/body/read-json.ts';
import type { ApiContext, ApiEnv } from '../../../http/context.ts';
import { pageJson, pageQuery } from '../../../http/query/page.ts';
import { parseOr } from '../../../http/query/parse-or.ts';
import { flag, noQuery, readQuery } from '../../../http/query/read-query.ts';
import type { StopWork } from '../../../intake/stop-work.ts';

type Needs = {
  readJson: ReadJson;
  config: Pick<Config, 'redis'>;
  tenants: TenantStore;
  platformKeys: PlatformKeyStore;
  work: Pick<WorkStore, 'cancel' | 'read'>;
  stopWork: StopWork;
  scheduler: Pick<SchedulerStore, 'counts'>;
  audit: Pick<AuditStore, 'list'>;
};

export const tenantsQuery = pageQuery(isManagedTenantId);
export const keysQuery = pageQuery(isPlatformKeyId);
export const revocationQuery = z.strictObject({ keep_work: flag });
export const deletionQuery = z
  .strictObject({ keep_work: flag, erase: flag })
  .refine(({ keep_work, erase }) => !(keep_work && erase), {
    path: ['keep_work'],
    message: 'does not go with erase: what is erased cannot run on',
  });
/** Rows of any time are listed, those that a stranger dated too. */
const isAuditPlace = (text: string): text is `${string}:${string}` =>
  /^(s\d{1,2}|registry):.*[1-9]/.test(text) && isStreamId(text.slice(text.indexOf(':') + 1));
export const auditQuery = pageQuery(isAuditPlace).extend({
  tenant: z.string().refine(isTenantId, 'must be the id of a tenant').optional(),
});

const tenantIn = (c: ApiContext): TenantId => {
  const id = c.req.param('id') ?? '';
  if (!isManagedTenantId(id)) throw noTenant();
  return id;
};
/** Also a tenant of the configuration. */
const workerIn = (c: ApiContext): TenantId => {
  const id = c.req.param('id') ?? '';
  if (!isTenantId(id)) throw noTenant();
  return id;
};
const keyIn = (c: ApiContext): PlatformKeyId => {
  const id = c.req.param('keyId') ?? '';
  if (!isPlatformKeyId(id)) throw noKey();
  return id;
};
const noTenant = () => new RequestError('not_found', { message: 'There is no tenant of this id.' });
const noKey = () => new RequestError('not_found', { message: 'This tenant has no platform key of this id.' });

/** The only answer that holds a key's secret. */
const issuedJson = (answer: IssueAnswer): object => {
  switch (answer.kind) {
    case 'issued':
      return { ...answer.key, secret: answer.secret.reveal() };
    case 'no_tenant':
      throw noTenant();
    case 'no_key':
      throw noKey();
    case 'expired':
      throw new RequestError('conflict', { message: 'This platform key has expired; issue a new one.' });
    case 'full':
      throw new RequestError('conflict', {
        message: `A tenant has at most ${MOST_KEYS} platform keys; revoke one that is no longer used.`,
      });
  }
};

export const addAdminRoutes = (
  app: Hono<ApiEnv>,
  { readJson, config, tenants, platformKeys, work, stopWork, scheduler, audit }: Needs,
): void => {
  const body = (c: ApiContext): Promise<unknown> => readJson(c, 'operator');

  route(app, '/admin/tenants', {
    GET: async (c) => {
      const { limit, after = null } = readQuery(c, tenantsQuery);
      const { tenants: page, next } = await tenants.list({ limit, after });
      return c.json(pageJson(page, next));
    },
    POST: async (c) => {
      readQuery(c, noQuery);
      const tenant = await tenants.create(parseOr('invalid_body', newTenant, await body(c)));
      c.header('Location', `/admin/tenants/${tenant.id}`);
      return c.json(tenant, 201);
    },
  });

  route(app, '/admin/tenants/:id', {
    GET: async (c) => {
      readQuery(c, noQuery);
      const tenant = await tenants.read(tenantIn(c));
      if (tenant === null) throw noTenant();
      return c.json(tenant);
    },
    PATCH: async (c) => {
      readQuery(c, noQuery);
      const id = tenantIn(c);
      const tenant = await tenants.change(id, parseOr('invalid_body', tenantPatch, await body(c)));
      if (tenant === null) throw noTenant();
      await stopWork(id);
      return c.json(tenant);
    },
    DELETE: async (c) => {
      const { keep_work, erase } = readQuery(c, deletionQuery);
      const id = tenantIn(c);
      if (erase && (await workOf(id)) === null) throw noTenant();
      const removed = await tenants.remove(id, erase ? 'erased' : keep_work ? 'kept' : 'stopped');
      if (!removed && !erase) throw noTenant();
      await stopWork(id);
      return c.body(null, 204);
    },
  });

  /** Of a tenant that is registered, or that has or had work here; else null. */
  const workOf = async (id: TenantId): Promise<TenantWork | null> =>
    (await work.read(id)) ?? ((await tenants.read(id)) && noWork(id));

  route(app, '/admin/tenants/:id/work', {
    GET: async (c) => {
      readQuery(c, noQuery);
      const found = await workOf(workerIn(c));
      if (found === null) throw noTenant();
      return c.json(found);
    },
  });

  route(app, '/admin/tenants/:id/cancel', {
    POST: async (c) => {
      readQuery(c, noQuery);
      const id = workerIn(c);
      if ((await workOf(id)) === null) throw noTenant();
      await work.cancel(id, 'operator');
      await stopWork(id);
      return c.json(await workOf(id), 202);
    },
  });

  route(app, '/admin/tenants/:id/keys', {
    GET: async (c) => {
      const { limit, after = null } = readQuery(c, keysQuery);
      const tenant = tenantIn(c);
      if ((await tenants.read(tenant)) === null) throw noTenant();
      const { keys, next } = await platformKeys.list(tenant, { limit, after });
      return c.json(pageJson(keys, next));
    },
    POST: async (c) => {
      readQuery(c, noQuery);
      const tenant = tenantIn(c);
      const wish = parseOr('invalid_body', newKey, await body(c));
      return c.json(issuedJson(await platformKeys.issue(tenant, wish)), 201);
    },
  });

  route(app, '/admin/tenants/:id/keys/:keyId', {
    DELETE: async (c) => {
      const { keep_work: keepWork } = readQuery(c, revocationQuery);
      const tenant = tenantIn(c);
      if (!(await platformKeys.revoke(tenant, keyIn(c), { keepWork }))) throw noKey();
      await stopWork(tenant);
      return c.body(null, 204);
    },
  });

  route(app, '/admin/tenants/:id/keys/:keyId/rotate', {
    POST: async (c) => {
      readQuery(c, noQuery);
      const [tenant, key] = [tenantIn(c), keyIn(c)];
      const { overlap_seconds } = parseOr('invalid_body', keyRotation, await readOptionalJson(c, 'operator', readJson));
      const answer = await platformKeys.rotate(tenant, key, overlap_seconds * 1_000);
      return c.json(issuedJson(answer), 201);
    },
  });

  route(app, '/admin/audit', {
    GET: async (c) => {
      const { tenant = null, limit, after } = readQuery(c, auditQuery);
      const [chain = '', id = ''] = after?.split(':') ?? [];
      const { rows, next } = await audit.list({ tenant, limit, after: after === undefined ? null : { chain, id } });
      return c.json(pageJson(rows, next && `${next.chain}:${next.id}`));
    },
  });

  route(app, '/admin/queues', {
    GET: async (c) => {
      readQuery(c, noQuery);
      const shards = Array.from({ length: config.redis.shards }, (_, shard) => shard);
      const counts = await Promise.allSettled(shards.map((shard) => scheduler.counts(shard)));
      const [first] = counts;
      if (first?.status === 'rejected' && counts.every(({ status }) => status === 'rejected')) throw first.reason;
      const data = counts.map((each, shard) => ({
        queue: 'completions',
        shard,
        ...(each.status === 'fulfilled' ? each.value : NO_COUNTS),
      }));
      return c.json(pageJson(data, null));
    },
  });
};
