/** What the middleware hands to the routes. */
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { JobErrorCode, RequestErrorCode } from '../../shared/domain/errors.ts';
import type { TenantId } from '../../shared/domain/ids.ts';
import type { Caller } from '../../shared/domain/tenants/caller.ts';
import type { Traceparent } from '../../shared/domain/traceparent.ts';
import type { RefusalWords } from './error-form.ts';

export type ApiEnv = {
  Bindings: HttpBindings;
  Variables: {
    requestId: string;
    /** In which it is refused, if not in those of its path. */
    words: RefusalWords | undefined;
    /** Set behind `traceRequest`, so in every route under /v1; null where there is no trace. */
    traceparent: Traceparent | null;
    /** Set behind `authenticateTenant`, so in every route under /v1. */
    tenant: TenantId;
    caller: Caller;
    /** Set with it: whether the caller would still be let in, for answers that take long. Rejects where that cannot be found out. */
    isLetInStill: () => Promise<boolean>;
    /** How many bytes of the request are stored nowhere; set behind `meterCalls` to `all`, and by whoever stores some. */
    unkept: number | 'all';
    /** What the access log adds to its line. */
    logged: {
      tenant?: TenantId;
      platform_key?: string;
      code?: RequestErrorCode | JobErrorCode;
      job_id?: string;
      batch_id?: string;
    };
  };
};

export type ApiContext = Context<ApiEnv>;
