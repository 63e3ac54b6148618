/** The check of scopes, on the real rows with nothing behind them. */
import fc from 'fast-check';
import { Hono } from 'hono';
import { beforeAll, expect, test } from 'vitest';
import { installOperations } from '../../../api/access/install-operations.ts';
import type { ApiEnv } from '../../../api/http/context.ts';
import { OPERATIONS } from '../../../api/interface.ts';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { Caller } from '../../../shared/domain/tenants/caller.ts';
import { SCOPES } from '../../../shared/domain/tenants/caller.ts';
import { AMPLE_LIMITS } from '../../support/redis/no-limits.ts';
import { tenant } from '../../support/redis/tenants.ts';

const app = new Hono<ApiEnv>();
let caller: Caller;
beforeAll(() => {
  app.use(async (c, next) => {
    c.set('caller', caller);
    await next();
  });
  app.onError((error, c) => {
    if (!(error instanceof RequestError)) throw error;
    return c.text(`${error.code}: ${error.message}`, error.code === 'scope_missing' ? 403 : 405);
  });
  const stubs = OPERATIONS.map((row) => ({ ...row, handle: () => () => new Response('done') }));
  installOperations(app, stubs, {});
});

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const ask = async (scopes: readonly (typeof SCOPES)[number][], method: string, path: string) => {
  const limits = AMPLE_LIMITS;
  caller = {
    tenant: tenant('acme'),
    platformKey: 'test',
    scopes,
    allowedModels: null,
    disabled: false,
    limits,
  };
  const answer = await app.request(path.replaceAll(/:\w+/g, 'x'), { method });
  return { status: answer.status, text: await answer.text(), allow: answer.headers.get('allow') };
};

test('a key does exactly what its scopes allow, on every route and with every combination of them', async () => {
  const call = fc.record({
    scopes: fc.subarray([...SCOPES]),
    path: fc.constantFrom(...new Set(OPERATIONS.map((row) => row.path))),
    method: fc.constantFrom(...METHODS),
  });
  await fc.assert(
    fc.asyncProperty(call, async ({ scopes, path, method }) => {
      const rows = OPERATIONS.filter((row) => row.path === path);
      const access = rows.find((row) => row.method === method)?.access;
      const { status, text, allow } = await ask(scopes, method, path);
      if (access === undefined) {
        const allowed = rows.flatMap((row) => (row.method === 'GET' ? ['GET', 'HEAD'] : [row.method]));
        expect({ status, allow, text }).toEqual({
          status: 405,
          allow: allowed.join(', '),
          text: `method_not_allowed: This path takes ${allowed.join(', ')}.`,
        });
      } else if (SCOPES.some((scope) => scope === access && !scopes.includes(scope))) {
        expect(status).toBe(403);
        expect(text).toContain(`lacks the scope ${access};`);
      } else {
        expect({ status, text }).toEqual({ status: 200, text: 'done' });
      }
    }),
    { numRuns: 600 },
  );
});
