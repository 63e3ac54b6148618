/** The audit log. */
import { z } from 'zod';
import { auditRow } from '../../../../shared/domain/audit/audit-row.ts';
import { isStreamId } from '../../../../shared/domain/audit/stream-id.ts';
import { isTenantId } from '../../../../shared/domain/ids.ts';
import { listOf, NAMED } from '../../../../shared/domain/wire.ts';
import type { AuditStore } from '../../../../shared/storage/audit/audit-store.ts';
import { operation } from '../../../access/operation.ts';
import { pageJson, pageQuery } from '../../../http/query/page.ts';

/** Rows of any time are listed, those that a stranger dated too. */
const isAuditPlace = (text: string): text is `${string}:${string}` =>
  /^(s\d{1,2}|registry):.*[1-9]/.test(text) && isStreamId(text.slice(text.indexOf(':') + 1));

const auditQuery = pageQuery(isAuditPlace).extend({
  tenant: z.string().refine(isTenantId, 'must be the id of a tenant').optional(),
});

const rowList = listOf(auditRow).register(NAMED, { id: 'AuditRowList' });

export const AUDIT_OPERATIONS = [
  operation({
    method: 'GET',
    path: '/admin/audit',
    access: 'operator',
    summary: 'Lists the audit log, newest first; a tenant’s page may be short while there are more',
    query: auditQuery,
    answers: { 200: { description: 'A page of rows.', schema: rowList } },
    handle:
      ({ audit }: { audit: Pick<AuditStore, 'list'> }) =>
      async (c, { tenant = null, limit, after }) => {
        const [chain = '', id = ''] = after?.split(':') ?? [];
        const { rows, next } = await audit.list({ tenant, limit, after: after === undefined ? null : { chain, id } });
        return c.json(pageJson(rows, next && `${next.chain}:${next.id}`));
      },
  }),
];
