import { expect, test } from 'vitest';
import { createTurns } from '../../worker/turns.ts';

/** A step that runs until it is told how it ends. */
const createSteps = () => {
  const started: number[] = [];
  const ends: PromiseWithResolvers<number>[] = [];
  return {
    started,
    step: (number: number) => (): Promise<number> => {
      const end = Promise.withResolvers<number>();
      started.push(number);
      ends[number] = end;
      return end.promise;
    },
    end: (number: number) => ends[number]?.resolve(number),
    fail: (number: number) => ends[number]?.reject(new Error(`step ${number}`)),
  };
};
const turnOfLoop = () => new Promise((resolve) => setImmediate(resolve));

test('no more steps run at once than may, and the others begin in their order, each when one has ended', async () => {
  const turns = createTurns(2);
  const { started, step, end } = createSteps();
  const results = [0, 1, 2, 3].map((number) => turns(step(number)));
  expect(started).toEqual([0, 1]);
  end(1);
  await turnOfLoop();
  expect(started).toEqual([0, 1, 2]);
  end(0);
  await turnOfLoop();
  expect(started).toEqual([0, 1, 2, 3]);
  end(2);
  end(3);
  expect(await Promise.all(results)).toEqual([0, 1, 2, 3]);

  // All have room again.
  void turns(step(4));
  void turns(step(5));
  void turns(step(6));
  expect(started.slice(4)).toEqual([4, 5]);
});

test('a step that fails is told to its caller only, and makes room', async () => {
  const turns = createTurns(1);
  const { started, step, end, fail } = createSteps();
  const failing = turns(step(0));
  const next = turns(step(1));
  fail(0);
  await expect(failing).rejects.toThrow('step 0');
  expect(started).toEqual([0, 1]);
  end(1);
  expect(await next).toBe(1);
});
