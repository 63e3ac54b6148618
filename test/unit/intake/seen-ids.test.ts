import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSeenIds } from '../../../api/intake/uploads/seen-ids.ts';

test('an id is new once, whatever came between, as with a set of the ids themselves', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 3 }), { maxLength: 200 }), (ids) => {
      const seen = createSeenIds();
      const real = new Set<string>();
      for (const id of ids) {
        expect(seen.add(id)).toBe(!real.has(id));
        real.add(id);
      }
    }),
  );
});

test('a hundred thousand ids are all told apart, and all known afterwards', () => {
  const seen = createSeenIds();
  let [fresh, known] = [0, 0];
  for (let number = 0; number < 100_000; number++) if (seen.add(`line-${number}`)) fresh += 1;
  for (let number = 0; number < 100_000; number++) if (!seen.add(`line-${number}`)) known += 1;
  expect({ fresh, known }).toEqual({ fresh: 100_000, known: 100_000 });
});
