/** Events of a streamed message: https://platform.claude.com/docs/en/build-with-claude/streaming */
import { z } from 'zod';
import type { EventReader } from '../call/events/read-events.ts';

const members = z.record(z.string(), z.unknown());
const typed = z.looseObject({ type: z.string() });
const started = z.object({ message: z.looseObject({ usage: members.nullish() }) });
const changed = z.object({ delta: members.nullish(), usage: members.nullish() });

/** A block in which nothing stands yet. */
const emptyBlock = z.object({
  content_block: z.union([
    z.object({ type: z.literal('text'), text: z.literal('') }),
    z.object({ type: z.literal('thinking'), thinking: z.literal('') }),
    z.object({ type: z.literal('tool_use'), input: z.strictObject({}) }),
  ]),
});

const given = (all: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(all).filter(([, value]) => value != null));

export const messageEvents = (): EventReader => {
  let message: Record<string, unknown> | null = null;
  let usage: Record<string, unknown> = {};
  let failure: unknown = null;
  let isStopped = false;

  return {
    read: ({ name, data }) => {
      const type = typed.safeParse(data).data?.type ?? name ?? '';
      switch (type) {
        case 'ping':
          return 'prelude';
        case 'message_start': {
          const begun = started.safeParse(data).data?.message ?? null;
          message = begun;
          usage = { ...begun?.usage };
          return 'prelude';
        }
        case 'content_block_start':
          return emptyBlock.safeParse(data).success ? 'prelude' : 'content';
        case 'message_delta': {
          const { delta, usage: used } = changed.safeParse(data).data ?? {};
          message = message && { ...message, ...delta };
          usage = { ...usage, ...given(used ?? {}) };
          return 'content';
        }
        case 'message_stop':
          isStopped = true;
          return 'last';
        case 'error':
          failure = data;
          return 'failure';
        default:
          return 'content';
      }
    },
    whole: () => {
      if (failure !== null) return failure;
      return isStopped ? { ...message, content: [], usage } : null;
    },
  };
};
