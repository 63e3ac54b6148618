import { RequestError } from '../../../shared/domain/errors.ts';
import type { TenantId } from '../../../shared/domain/ids.ts';

/** Of one sender in one process, or one whole body where that is more; of all senders, so many times as much. */
const BYTES_A_SENDER = 16 * 1_048_576;
const SENDERS = 4;
/** So much of each body takes no room, as if it were the connection's: a short body is not refused for long ones. */
const FREE_BYTES = 16_384;
const TRY_AGAIN_SECONDS = 5;

export type Sender = TenantId | 'operator';

export type BodyRoom = {
  /** Begins a body. */
  enter: (sender: Sender) => {
    /** Takes room for more of it; throws 429 or 503 where there is none. */
    grow: (bytes: number) => void;
    /** Gives its room back; to be called once. */
    leave: () => void;
  };
};

/** Room in one process for bodies that are still coming in: who sends slowly must not fill its memory. */
export const createBodyRoom = ({ maxBodyBytes }: { maxBodyBytes: number }): BodyRoom => {
  const mostOfSender = Math.max(BYTES_A_SENDER, maxBodyBytes);
  const mostInAll = SENDERS * mostOfSender;
  const taken = new Map<Sender, number>();
  let takenInAll = 0;

  const change = (sender: Sender, bytes: number): void => {
    const ofSender = (taken.get(sender) ?? 0) + bytes;
    if (ofSender > 0) taken.set(sender, ofSender);
    else taken.delete(sender);
    takenInAll += bytes;
  };

  return {
    enter: (sender) => {
      let size = 0;
      let held = 0;
      return {
        grow: (bytes) => {
          size += bytes;
          const more = Math.max(0, size - FREE_BYTES) - held;
          if (more === 0) return;
          if ((taken.get(sender) ?? 0) + more > mostOfSender) {
            throw new RequestError('rate_limited', {
              retryAfterSeconds: TRY_AGAIN_SECONDS,
              message: `Bodies of this tenant that are still coming in hold ${mostOfSender} bytes here already; send this one when one of them is through.`,
            });
          }
          if (takenInAll + more > mostInAll) {
            throw new RequestError('overloaded', {
              retryAfterSeconds: TRY_AGAIN_SECONDS,
              message: `Bodies that are still coming in hold ${mostInAll} bytes here already; send this one when one of them is through.`,
            });
          }
          change(sender, more);
          held += more;
        },
        leave: () => change(sender, -held),
      };
    },
  };
};
