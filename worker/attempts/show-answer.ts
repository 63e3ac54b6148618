/** Shows an answer as it comes. Nothing of it is shown before its first content: until then another attempt may begin anew. */
import type { EventSink } from '../../providers/call/provider.ts';
import type { EventWriter } from '../../shared/storage/events/event-writer.ts';
import type { NextStep, Settlement } from '../../shared/storage/jobs/attempt-store.ts';

export type ShownAnswer = {
  events: EventSink;
  /** When all is written: what becomes of the job, and the attempt's `events`. An answer that broke off after it was begun is not begun again. */
  conclude: (decided: NextStep) => Promise<Pick<Settlement, 'next' | 'events'>>;
};

const AGAIN: ReadonlySet<NextStep['kind']> = new Set(['retry', 'park', 'hand_back']);
const INTERRUPTED = {
  kind: 'failed',
  code: 'stream_interrupted',
  providerStatus: null,
  detail: null,
} as const satisfies NextStep;

export const showAnswer = (writer: EventWriter): ShownAnswer => {
  let held: Buffer[] = [];
  let hasBegun = false;
  const begin = (): void => {
    hasBegun = true;
    for (const event of held) writer.write(event);
    held = [];
  };
  return {
    events: {
      event: (bytes, kind) => {
        if (!hasBegun && kind === 'prelude') {
          held.push(bytes);
          return;
        }
        if (!hasBegun) begin();
        writer.write(bytes);
      },
    },
    conclude: async (decided) => {
      const next = hasBegun && AGAIN.has(decided.kind) ? INTERRUPTED : decided;
      if (next.kind === 'completed') begin();
      const events = await writer.end();
      return { next, ...(events !== null && { events }) };
    },
  };
};
