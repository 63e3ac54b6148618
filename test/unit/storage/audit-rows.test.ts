import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { AUDIT_KINDS, parseAuditRow } from '../../../shared/domain/audit/audit-row.ts';

const SCRIPTS = new URL('../../../shared/storage/commands/', import.meta.url);

test('the kinds of rows that the scripts append are those that readers know', () => {
  const files = readdirSync(SCRIPTS, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.lua'));
  const appended = files.flatMap((name) =>
    [
      ...readFileSync(new URL(name, SCRIPTS), 'utf8').matchAll(
        /\b(?:Audit\.append|audit_attempt)\(\s*'(\w+)'|'(\w+)' or '(\w+)', tenant/g,
      ),
    ].flatMap(([, ...kinds]) => kinds.filter(Boolean)),
  );
  expect([...new Set(appended)].toSorted()).toEqual(AUDIT_KINDS.toSorted());
});

test('an entry that is no row of ours is none', () => {
  for (const text of ['', '{}', '[]', '["other","acme"]', '["key_revoked"]', '["key_revoked",1]', 'null']) {
    expect(parseAuditRow('s0', '1-0', text)).toBeNull();
  }
  expect(parseAuditRow('registry', '1000-1', '["key_revoked","acme","operator","key_1"]')).toEqual({
    id: 'registry:1000-1',
    object: 'audit_row',
    time: '1970-01-01T00:00:01.000Z',
    kind: 'key_revoked',
    tenant: 'acme',
    actor: 'operator',
    platform_key: 'key_1',
  });
});
