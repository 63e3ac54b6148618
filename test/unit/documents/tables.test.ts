/** The documents' tables against the code: what they list is what is there. */
import { expect, test } from 'vitest';
import { OPERATIONS } from '../../../api/interface.ts';
import { documentPath } from '../../../api/operations/openapi/document.ts';
import { FAILURES, parseDirectives } from '../../../sandbox/directives.ts';
import { AUDIT_KINDS } from '../../../shared/domain/audit/audit-row.ts';
import { JOB_ERRORS, REQUEST_ERRORS } from '../../../shared/domain/errors.ts';
import { JOB_STATUSES, WAIT_REASONS } from '../../../shared/domain/jobs/states.ts';
import { ATTEMPT_OUTCOMES } from '../../../shared/domain/outcome.ts';
import { SCOPES } from '../../../shared/domain/tenants/caller.ts';
import { DELIVERY_CODES, DELIVERY_REASONS } from '../../../shared/domain/webhooks/delivery-states.ts';
import { firstCells, tableOf } from '../../support/documents.ts';

test.each<[string, ReturnType<typeof tableOf>, readonly string[]]>([
  ['job status', tableOf('status', 'meaning'), JOB_STATUSES],
  ['wait reason', tableOf('wait reason', 'meaning'), WAIT_REASONS],
  ['attempt outcome', tableOf('attempt outcome', 'meaning'), ATTEMPT_OUTCOMES],
  ['scope', tableOf('scope', 'what it allows'), SCOPES],
  ['attempt code', tableOf('attempt code', 'meaning'), DELIVERY_CODES],
  ['delivery reason', tableOf('delivery reason', 'meaning'), DELIVERY_REASONS],
  ['kind of row', tableOf('kind of row', 'what is written'), AUDIT_KINDS],
])('every %s is explained, and no other', (_, rows, names) => {
  expect(firstCells(rows)).toEqual(names.toSorted());
});

test('every call is listed, and no other', () => {
  const listed = [...tableOf('call', 'what it does', 'answers'), ...tableOf('admin call', 'what it does', 'answers')];
  const known = OPERATIONS.map(({ method, path }) => `${method} ${documentPath(path)}`);
  expect(firstCells(listed)).toEqual(known.toSorted());
});

test('every request error is listed with its status, in the order of the statuses, and no other', () => {
  const rows = tableOf('status', 'code', 'meaning');
  const known = Object.entries(REQUEST_ERRORS).map(([code, { status }]) => `${status} ${code}`);
  expect(rows.map(([status, code]) => `${status} ${code}`).toSorted()).toEqual(known.toSorted());
  const statuses = rows.map(([status = '']) => status);
  expect(statuses).toEqual(statuses.toSorted());
});

test('every job error is listed with whether it may be submitted again, and no other', () => {
  const listed = tableOf('code', 'retryable', 'meaning').map(([code, retryable]) => `${code} ${retryable}`);
  const known = Object.entries(JOB_ERRORS).map(([code, { retryable }]) => `${code} ${retryable ? 'yes' : 'no'}`);
  expect(listed.toSorted()).toEqual(known.toSorted());
});

test('the steering of the sandbox is what the sandbox understands', () => {
  const pairs = firstCells(tableOf('pair', 'effect'));
  for (const pair of pairs) expect(parseDirectives(`sandbox:${pair}`), pair).not.toEqual({});
  const failures = pairs.flatMap((pair) => /^fail=(.+)$/.exec(pair)?.[1] ?? []);
  expect(failures).toEqual(FAILURES.toSorted());
});
