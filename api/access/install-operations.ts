import type { Hono } from 'hono';
import { RequestError } from '../../shared/domain/errors.ts';
import { releaseBody } from '../http/body/read-body.ts';
import type { ApiEnv } from '../http/context.ts';
import { demandAccess } from './demand-access.ts';
import type { Operation } from './operation.ts';

/**
 * The only way to add calls to an app. Each refuses a key without its scope, and a path's other
 * methods are 405 with `Allow`.
 */
export const installOperations = <Needs>(
  app: Hono<ApiEnv>,
  operations: readonly Operation<Needs>[],
  needs: Needs,
): void => {
  for (const [path, rows] of Map.groupBy(operations, (row) => row.path)) {
    for (const { method, access, handle } of rows) {
      const answer = handle(needs);
      app.on(method, path, async (c) => {
        demandAccess(c, access);
        try {
          return await answer(c);
        } finally {
          releaseBody(c);
        }
      });
    }
    const allowed = rows.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
    app.all(path, (c) => {
      c.header('Allow', allowed);
      throw new RequestError('method_not_allowed', { message: `This path takes ${allowed}.` });
    });
  }
};
