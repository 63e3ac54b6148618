import { describe, expect, test } from 'vitest';
import { pepperMarks } from '../../../shared/keys/digests/pepper-marks.ts';
import { createRequestDigests } from '../../../shared/keys/digests/request-digest.ts';
import { FIXED_RING, peppersOf, ringText } from './rings.ts';

const OLD = ringText('old');
const NEW = ringText('new');

describe('what stands for a request', () => {
  const digestsUnder = (ring: string, ...parts: (string | Buffer)[]) =>
    createRequestDigests(peppersOf(ring))(() => parts);

  test('is the same in every release under the same pepper', () => {
    expect(digestsUnder(FIXED_RING, 'acme', Buffer.from('body'))).toEqual([
      '72QzQU6ccbWoFhOorGrEJgkJ3zCayW1HVvktWBhkof4',
    ]);
  });

  test('is another for each part that differs, and for each pepper', () => {
    const one = digestsUnder(NEW, 'acme', 'body');
    expect(digestsUnder(NEW, 'acme', Buffer.from('body'))).toEqual(one);
    for (const other of [
      digestsUnder(NEW, 'acme', 'Body'),
      digestsUnder(NEW, 'beta', 'body'),
      digestsUnder(NEW, 'body', 'acme'),
      digestsUnder(OLD, 'acme', 'body'),
    ]) {
      expect(other).not.toEqual(one);
    }
  });

  test('comes under the first pepper first, then under each older one, with the parts of each', () => {
    const digests = createRequestDigests(peppersOf(`${NEW},${OLD}`))((pepper) => ['acme', `mark ${pepper}`]);
    expect(digests).toEqual([...digestsUnder(NEW, 'acme', 'mark 0'), ...digestsUnder(OLD, 'acme', 'mark 1')]);
  });
});

test('the mark of a pepper is the same in every release, the active one’s first', () => {
  expect(pepperMarks(peppersOf(FIXED_RING))).toEqual(['SahNA-Xw7M5bTKX6']);
  expect(pepperMarks(peppersOf(`${NEW},${OLD}`))).toEqual([
    ...pepperMarks(peppersOf(NEW)),
    ...pepperMarks(peppersOf(OLD)),
  ]);
  expect(pepperMarks(peppersOf(NEW))).not.toEqual(pepperMarks(peppersOf(OLD)));
});
