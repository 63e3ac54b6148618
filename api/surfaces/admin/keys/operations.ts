/** A tenant’s platform keys: how they are listed, issued, revoked and replaced. */
import { z } from 'zod';
import { RequestError } from '../../../../shared/domain/errors.ts';
import { isPlatformKeyId, type PlatformKeyId } from '../../../../shared/domain/ids.ts';
import { keyRotation, newKey } from '../../../../shared/domain/tenants/changes.ts';
import { type IssuedPlatformKey, issuedPlatformKey, platformKey } from '../../../../shared/domain/tenants/schema.ts';
import { listOf, NAMED } from '../../../../shared/domain/wire.ts';
import {
  type IssueAnswer,
  MOST_KEYS,
  type PlatformKeyStore,
} from '../../../../shared/storage/tenants/platform-key-store.ts';
import type { TenantStore } from '../../../../shared/storage/tenants/tenant-store.ts';
import { operation } from '../../../access/operation.ts';
import { type ReadJson, readOptionalJson } from '../../../http/body/read-json.ts';
import type { ApiContext } from '../../../http/context.ts';
import { pageJson, pageQuery } from '../../../http/query/page.ts';
import { parseOr } from '../../../http/query/parse-or.ts';
import { flag } from '../../../http/query/read-query.ts';
import type { StopWork } from '../../../intake/stop-work.ts';
import { noTenant, tenantIn } from '../tenant-in.ts';

const keysQuery = pageQuery(isPlatformKeyId);
const revocationQuery = z.strictObject({ keep_work: flag });

const keyIn = (c: ApiContext): PlatformKeyId => {
  const id = c.req.param('keyId') ?? '';
  if (!isPlatformKeyId(id)) throw noKey();
  return id;
};
const noKey = () => new RequestError('not_found', { message: 'This tenant has no platform key of this id.' });

/** The only answer that holds a key's secret. */
const issuedJson = (answer: IssueAnswer): IssuedPlatformKey => {
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

const keyList = listOf(platformKey).register(NAMED, { id: 'PlatformKeyList' });

type Needs = {
  readJson: ReadJson;
  tenants: Pick<TenantStore, 'read'>;
  platformKeys: PlatformKeyStore;
  stopWork: StopWork;
};

export const KEY_OPERATIONS = [
  operation({
    method: 'GET',
    path: '/admin/tenants/:id/keys',
    access: 'operator',
    summary: 'Lists a tenant’s platform keys, without secrets',
    query: keysQuery,
    answers: { 200: { description: 'A page of keys.', schema: keyList } },
    handle:
      ({ tenants, platformKeys }: Needs) =>
      async (c, { limit, after = null }) => {
        const tenant = tenantIn(c);
        if ((await tenants.read(tenant)) === null) throw noTenant();
        const { keys, next } = await platformKeys.list(tenant, { limit, after });
        return c.json(pageJson(keys, next));
      },
  }),

  operation({
    method: 'POST',
    path: '/admin/tenants/:id/keys',
    access: 'operator',
    summary: 'Issues a platform key',
    body: { schema: newKey },
    answers: { 201: { description: 'The key with its secret.', schema: issuedPlatformKey } },
    errors: ['conflict'],
    handle:
      ({ platformKeys, readJson }: Needs) =>
      async (c) => {
        const tenant = tenantIn(c);
        const wish = parseOr('invalid_body', newKey, await readJson(c, 'operator'));
        return c.json(issuedJson(await platformKeys.issue(tenant, wish)), 201);
      },
  }),

  operation({
    method: 'DELETE',
    path: '/admin/tenants/:id/keys/:keyId',
    access: 'operator',
    summary: 'Revokes a platform key, and stops the work that it asked for, unless `keep_work` is set',
    query: revocationQuery,
    answers: { 204: { description: 'Revoked.' } },
    handle:
      ({ platformKeys, stopWork }: Needs) =>
      async (c, { keep_work: keepWork }) => {
        const tenant = tenantIn(c);
        if (!(await platformKeys.revoke(tenant, keyIn(c), { keepWork }))) throw noKey();
        await stopWork(tenant);
        return c.body(null, 204);
      },
  }),

  operation({
    method: 'POST',
    path: '/admin/tenants/:id/keys/:keyId/rotate',
    access: 'operator',
    summary: 'Replaces a platform key; the old one stays valid for a while',
    body: { schema: keyRotation, optional: true },
    answers: { 201: { description: 'The new key with its secret.', schema: issuedPlatformKey } },
    errors: ['conflict'],
    handle:
      ({ platformKeys, readJson }: Needs) =>
      async (c) => {
        const [tenant, key] = [tenantIn(c), keyIn(c)];
        const json = await readOptionalJson(c, 'operator', readJson);
        const { overlap_seconds } = parseOr('invalid_body', keyRotation, json);
        const answer = await platformKeys.rotate(tenant, key, overlap_seconds * 1_000);
        return c.json(issuedJson(answer), 201);
      },
  }),
];
