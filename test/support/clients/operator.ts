/** What an operator does over the admin interface of a gateway under test. */
import type { IssuedPlatformKey, PlatformKey, Tenant } from '../../../shared/domain/tenants/schema.ts';
import type { Answer } from '../processes/gateway.ts';

export const ADMIN_TOKEN = 'operator-9f27c0de51b84a6390fe72ab15cd8e64';

type Api = { url: string };

/** On the API that is the first one at the time, unless another one is given. */
export const operate = (gateway: { apis: readonly Api[] }) => {
  const call = async (method: string, path: string, body?: unknown, api?: Api): Promise<Answer> => {
    const response = await fetch(`${(api ?? gateway.apis[0])?.url ?? ''}${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${ADMIN_TOKEN}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
  };
  const made = async (path: string, body: unknown): Promise<unknown> => {
    const answer = await call('POST', path, body);
    if (answer.status !== 201) throw new Error(`not made: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  return {
    call,
    tenant: async (fields: object = {}) => (await made('/admin/tenants', { name: 'test', ...fields })) as Tenant,
    issue: async ({ id }: Tenant, fields: object = {}) =>
      (await made(`/admin/tenants/${id}/keys`, { name: 'test', ...fields })) as IssuedPlatformKey,
    rotate: async ({ id }: Tenant, key: PlatformKey, overlapSeconds: number) =>
      (await made(`/admin/tenants/${id}/keys/${key.id}/rotate`, {
        overlap_seconds: overlapSeconds,
      })) as IssuedPlatformKey,
    revoke: ({ id }: Tenant, key: PlatformKey) => call('DELETE', `/admin/tenants/${id}/keys/${key.id}`),
    change: ({ id }: Tenant, changes: object) => call('PATCH', `/admin/tenants/${id}`, changes),
  };
};
