/** Tenants: how they are created, read, changed and deleted. */
import { z } from 'zod';
import { isManagedTenantId } from '../../../../shared/domain/ids.ts';
import { newTenant, tenantPatch } from '../../../../shared/domain/tenants/changes.ts';
import { tenant as tenantForm } from '../../../../shared/domain/tenants/schema.ts';
import { listOf, NAMED } from '../../../../shared/domain/wire.ts';
import type { TenantStore } from '../../../../shared/storage/tenants/tenant-store.ts';
import type { WorkStore } from '../../../../shared/storage/tenants/work-store.ts';
import { operation } from '../../../access/operation.ts';
import type { ReadJson } from '../../../http/body/read-json.ts';
import { pageJson, pageQuery } from '../../../http/query/page.ts';
import { parseOr } from '../../../http/query/parse-or.ts';
import { flag } from '../../../http/query/read-query.ts';
import type { StopWork } from '../../../intake/stop-work.ts';
import { noTenant, tenantIn } from '../tenant-in.ts';
import { cancelWork, readWork, workOf } from './work.ts';

const tenantsQuery = pageQuery(isManagedTenantId);

const deletionQuery = z
  .strictObject({ keep_work: flag, erase: flag })
  .refine(({ keep_work, erase }) => !(keep_work && erase), {
    path: ['keep_work'],
    message: 'does not go with erase: what is erased cannot run on',
  });

const tenantList = listOf(tenantForm).register(NAMED, { id: 'TenantList' });

type Needs = {
  readJson: ReadJson;
  tenants: TenantStore;
  work: Pick<WorkStore, 'read'>;
  stopWork: StopWork;
};

export const TENANT_OPERATIONS = [
  operation({
    method: 'GET',
    path: '/admin/tenants',
    access: 'operator',
    summary: 'Lists tenants, newest first',
    query: tenantsQuery,
    answers: { 200: { description: 'A page of tenants.', schema: tenantList } },
    handle:
      ({ tenants }: Needs) =>
      async (c, { limit, after = null }) => {
        const { tenants: page, next } = await tenants.list({ limit, after });
        return c.json(pageJson(page, next));
      },
  }),

  operation({
    method: 'POST',
    path: '/admin/tenants',
    access: 'operator',
    summary: 'Creates a tenant',
    body: { schema: newTenant },
    answers: { 201: { description: 'The tenant.', schema: tenantForm, headers: ['Location'] } },
    handle:
      ({ tenants, readJson }: Needs) =>
      async (c) => {
        const tenant = await tenants.create(parseOr('invalid_body', newTenant, await readJson(c, 'operator')));
        c.header('Location', `/admin/tenants/${tenant.id}`);
        return c.json(tenant, 201);
      },
  }),

  operation({
    method: 'GET',
    path: '/admin/tenants/:id',
    access: 'operator',
    summary: 'Reads a tenant',
    answers: { 200: { description: 'The tenant.', schema: tenantForm } },
    handle:
      ({ tenants }: Needs) =>
      async (c) => {
        const tenant = await tenants.read(tenantIn(c));
        if (tenant === null) throw noTenant();
        return c.json(tenant);
      },
  }),

  operation({
    method: 'PATCH',
    path: '/admin/tenants/:id',
    access: 'operator',
    summary:
      'Changes a tenant; what is left out stays. `disabled` stops its queued and running work, unless `keep_work` is set',
    body: { schema: tenantPatch },
    answers: { 200: { description: 'The tenant.', schema: tenantForm } },
    handle:
      ({ tenants, stopWork, readJson }: Needs) =>
      async (c) => {
        const id = tenantIn(c);
        const tenant = await tenants.change(id, parseOr('invalid_body', tenantPatch, await readJson(c, 'operator')));
        if (tenant === null) throw noTenant();
        await stopWork(id);
        return c.json(tenant);
      },
  }),

  operation({
    method: 'DELETE',
    path: '/admin/tenants/:id',
    access: 'operator',
    summary:
      'Deletes a tenant with its keys, and stops its queued and running work, unless `keep_work` is set; `erase` forgets all that is stored for it but usage and audit log, also of one that is deleted',
    query: deletionQuery,
    answers: {
      204: { description: 'Deleted; `/admin/tenants/{id}/work` shows how the end of its work and data goes on.' },
    },
    handle:
      ({ tenants, work, stopWork }: Needs) =>
      async (c, { keep_work, erase }) => {
        const id = tenantIn(c);
        if (erase && (await workOf(id, { tenants, work })) === null) throw noTenant();
        const removed = await tenants.remove(id, erase ? 'erased' : keep_work ? 'kept' : 'stopped');
        if (!removed && !erase) throw noTenant();
        await stopWork(id);
        return c.body(null, 204);
      },
  }),

  readWork,
  cancelWork,
];
