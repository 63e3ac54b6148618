import { expect, test } from 'vitest';
import { createUploadSlots, type UploadSlots } from '../../../api/intake/uploads/upload-slots.ts';
import type { TenantId } from '../../../shared/domain/ids.ts';

/** Uploads by their names; how far each is behind can be changed. */
const start = () => {
  const slots = createUploadSlots();
  const behind = new Map<string, number>();
  const gone: string[] = [];
  const take = (tenant: string, name: string): ReturnType<UploadSlots['take']> =>
    slots.take(tenant as TenantId, { behindMs: () => behind.get(name) ?? 0, giveWay: () => gone.push(name) });
  const fill = (tenants: readonly string[], each: number): void => {
    for (const tenant of tenants) for (let count = 1; count <= each; count++) take(tenant, `${tenant}-${count}`);
  };
  return { take, fill, behind, gone };
};

test('16 silent uploads do not keep others out', () => {
  const { take, fill, behind, gone } = start();
  fill(['a', 'b', 'c', 'd'], 4);
  for (const tenant of ['a', 'b', 'c', 'd']) for (const count of [1, 2, 3, 4]) behind.set(`${tenant}-${count}`, 2_000);
  behind.set('c-2', 9_000);
  take('e', 'e-1');
  take('e', 'e-2');
  expect(gone).toHaveLength(2);
  expect(gone[0]).toBe('c-2');
});

test('uploads that keep up keep their places', () => {
  const { take, fill, behind, gone } = start();
  fill(['a', 'b', 'c', 'd'], 4);
  behind.set('a-1', 1_999);
  expect(() => take('e', 'e-1')).toThrow(expect.objectContaining({ code: 'overloaded', retryAfterSeconds: 5 }));
  expect(() => take('a', 'a-5')).toThrow(expect.objectContaining({ code: 'rate_limited', retryAfterSeconds: 5 }));
  expect(gone).toEqual([]);
});

test('the tenant with the most places gives one up first, and a tenant at its own limit one of its own', () => {
  const { take, fill, behind, gone } = start();
  fill(['a', 'b', 'c'], 4);
  fill(['d', 'e'], 2);
  for (const [name, ms] of Object.entries({ 'd-1': 20_000, 'a-3': 3_000, 'b-1': 2_500 })) behind.set(name, ms);
  take('f', 'f-1');
  expect(gone).toEqual(['a-3']);
  take('b', 'b-5');
  expect(gone).toEqual(['a-3', 'b-1']);
});

test('a place is given back once, also by an upload that gave way', () => {
  const { take, fill, behind } = start();
  fill(['a', 'b', 'c'], 4);
  fill(['d'], 3);
  const leave = take('d', 'slow');
  behind.set('slow', 5_000);
  take('e', 'e-1');
  leave();
  leave();
  expect(() => take('f', 'f-1')).toThrow('16 batches are being uploaded');
});
