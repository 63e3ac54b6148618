/** A tenant’s unfinished work as a whole. */
import type { TenantId } from '../../../../shared/domain/ids.ts';
import { type TenantWork, tenantWork } from '../../../../shared/domain/tenants/schema.ts';
import type { TenantStore } from '../../../../shared/storage/tenants/tenant-store.ts';
import { noWork, type WorkStore } from '../../../../shared/storage/tenants/work-store.ts';
import { operation } from '../../../access/operation.ts';
import type { StopWork } from '../../../intake/stop-work.ts';
import { noTenant, workerIn } from '../tenant-in.ts';

type Known = { tenants: Pick<TenantStore, 'read'>; work: Pick<WorkStore, 'read'> };

/** Of a tenant that is registered, or that has or had work here; else null. */
export const workOf = async (id: TenantId, { tenants, work }: Known): Promise<TenantWork | null> =>
  (await work.read(id)) ?? ((await tenants.read(id)) && noWork(id));

export const readWork = operation({
  method: 'GET',
  path: '/admin/tenants/:id/work',
  access: 'operator',
  summary: 'Counts a tenant’s unfinished work, and shows how the last stop and its erasure go on',
  answers: { 200: { description: 'The counts.', schema: tenantWork } },
  handle: (known: Known) => async (c) => {
    const found = await workOf(workerIn(c), known);
    if (found === null) throw noTenant();
    return c.json(found);
  },
});

export const cancelWork = operation({
  method: 'POST',
  path: '/admin/tenants/:id/cancel',
  access: 'operator',
  summary:
    'Cancels all unfinished work of a tenant, also of one that is deleted or stands in the configuration; what it sends from now on runs',
  answers: { 202: { description: 'How far the end of it is.', schema: tenantWork } },
  handle:
    ({ tenants, work, stopWork }: Known & { work: Pick<WorkStore, 'cancel'>; stopWork: StopWork }) =>
    async (c) => {
      const id = workerIn(c);
      if ((await workOf(id, { tenants, work })) === null) throw noTenant();
      await work.cancel(id, 'operator');
      await stopWork(id);
      return c.json(await workOf(id, { tenants, work }), 202);
    },
});
