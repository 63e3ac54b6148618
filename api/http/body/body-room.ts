import { RequestError } from '../../../shared/domain/errors.ts';
import type { TenantId } from '../../../shared/domain/ids.ts';

/** What one sender may have of it all, or one whole body if that is more. */
const SHARE_OF_SENDER = 0.25;
/** So much of each body takes no room, as if it were the connection's: a short body is not refused for long ones. */
const FREE_BYTES = 16_384;
const TRY_AGAIN_SECONDS = 5;

export type Sender = TenantId | 'operator';

export type BodyRoom = {
  /** Begins a body, each byte of which takes `weight` bytes of memory until it is let go. */
  enter: (
    sender: Sender,
    weight: number,
  ) => {
    /** Takes room for more of it; throws 429 or 503 if there is none. */
    grow: (bytes: number) => void;
    /** Gives its room back; safe to call twice. */
    leave: () => void;
  };
};

/**
 * Room in one process for bodies, from their first byte until nobody needs them any more: neither who sends slowly nor who sends
 * much must fill its memory. `heaviest`: the most that one body can take.
 */
export const createBodyRoom = ({ memoryBytes, heaviest }: { memoryBytes: number; heaviest: number }): BodyRoom => {
  const mostInAll = Math.max(memoryBytes, heaviest);
  const mostOfSender = Math.max(Math.floor(mostInAll * SHARE_OF_SENDER), heaviest);
  const taken = new Map<Sender, number>();
  let takenInAll = 0;

  const change = (sender: Sender, bytes: number): void => {
    const ofSender = (taken.get(sender) ?? 0) + bytes;
    if (ofSender > 0) taken.set(sender, ofSender);
    else taken.delete(sender);
    takenInAll += bytes;
  };

  return {
    enter: (sender, weight) => {
      let size = 0;
      let held = 0;
      return {
        grow: (bytes) => {
          size += bytes;
          const more = weight * Math.max(0, size - FREE_BYTES) - held;
          if (more === 0) return;
          if ((taken.get(sender) ?? 0) + more > mostOfSender) {
            throw new RequestError('rate_limited', {
              retryAfterSeconds: TRY_AGAIN_SECONDS,
              message: `Bodies of this tenant take ${mostOfSender} bytes of memory here already; try again when one of them is through.`,
            });
          }
          if (takenInAll + more > mostInAll) {
            throw new RequestError('overloaded', {
              retryAfterSeconds: TRY_AGAIN_SECONDS,
              message: `Bodies take ${mostInAll} bytes of memory here already; try again when one of them is through.`,
            });
          }
          change(sender, more);
          held += more;
        },
        leave: () => {
          change(sender, -held);
          held = 0;
        },
      };
    },
  };
};
