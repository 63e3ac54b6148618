/** However bad the lines of an upload are, others get their turn while it is read. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { goodLine, uploadNdjson } from '../support/uploads.ts';

const cpuMs = (): number => process.cpuUsage().user / 1_000;

/** The longest time in which nothing else could run while `work` did; of the processor, which others use as well. */
const longestGapMs = async (work: Promise<unknown>): Promise<number> => {
  let isOver = false;
  let longest = 0;
  const watch = async (): Promise<void> => {
    for (let before = cpuMs(); !isOver; ) {
      await nextTurn();
      longest = Math.max(longest, cpuMs() - before);
      before = cpuMs();
    }
  };
  const watching = watch();
  await work.finally(() => {
    isOver = true;
  });
  await watching;
  return longest;
};

const BAD_LINES = {
  'one letter': 'x',
  'half of JSON': '{"custom_id":',
  'a number': '7',
  'an empty object': '{}',
  'no body': '{"custom_id":"a"}',
  'too deep': '['.repeat(33),
  'an unknown field': `${goodLine('a').slice(0, -1)},"x":1}`,
  'an id that came before': goodLine('first'),
  nothing: '',
};

test.for(Object.entries(BAD_LINES))(
  'a chunk of lines that hold %s does not stop the process',
  { timeout: 60_000 },
  async ([, line]) => {
    const chunk = `${line}\n`.repeat(Math.ceil(524_288 / (line.length + 1)));
    for (const compared of [false, true]) {
      expect(
        await longestGapMs(uploadNdjson([`${goodLine('first')}\n`, chunk], compared).fill(async () => {})),
      ).toBeLessThan(200);
      expect(await longestGapMs(uploadNdjson([chunk], compared).request())).toBeLessThan(400);
    }
  },
);
