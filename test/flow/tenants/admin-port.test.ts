import { expect, test } from 'vitest';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { startGateway } from '../../support/processes/gateway.ts';

test('with ADMIN_PORT the operator’s calls are there and nowhere else, and those of tenants are not there', async () => {
  const gateway = await startGateway({ workers: 0, env: { ADMIN_TOKEN, ADMIN_PORT: '0' } });
  try {
    const [api] = gateway.apis;
    const line = api?.log.find(({ msg }) => msg === 'admin_listening');
    const admin = { url: `http://127.0.0.1:${String(line?.port)}` };
    const { call } = operate(gateway);
    const statusOf = async (path: string, at: { url: string } | undefined) =>
      (await call('GET', path, undefined, at)).status;
    for (const path of ['/admin/tenants', '/admin/queues', '/admin/audit']) {
      expect([path, await statusOf(path, admin), await statusOf(path, api)]).toEqual([path, 200, 404]);
    }
    expect((await gateway.call('GET', '/v1/usage')).status).toBe(200);
    expect((await fetch(`${admin.url}/v1/usage`, { headers: { 'X-API-Key': 'acme-platform-key-0001' } })).status).toBe(
      404,
    );
    const pathsAt = async (at: { url: string } | undefined): Promise<string[]> => {
      const document = (await call('GET', '/openapi.json', undefined, at)).body as { paths: object };
      return Object.keys(document.paths);
    };
    expect((await pathsAt(admin)).filter((path) => path.startsWith('/v1/'))).toEqual([]);
    expect(await pathsAt(admin)).toContain('/admin/tenants');
    expect((await pathsAt(api)).filter((path) => path.startsWith('/admin'))).toEqual([]);
    expect((await fetch(`${admin.url}/admin/tenants`)).status).toBe(401);
  } finally {
    await gateway.stop();
  }
});
