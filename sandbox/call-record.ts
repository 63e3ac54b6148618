/** What the sandbox was asked, for tests to compare with what the gateway says it did. */
import { createHash } from 'node:crypto';
import type { Wire } from '../providers/stand-in/wire.ts';
import type { Sent } from './send-reply.ts';

export type SandboxCall = {
  provider: Wire['provider'];
  /** The credential as sent, or its SHA-256 in hex; '' where none was sent in the right form. */
  key: string;
  path: string;
  model: string;
  body: unknown;
  /** The header of this name. */
  traceparent: string | null;
  /** Unix time in milliseconds. */
  startedAt: number;
  /** Null while the call runs. */
  finishedAt: number | null;
  /** Of the answer, once it is decided. */
  status: number | null;
  /** Whether the whole answer, of whatever status, went out. */
  completed: boolean;
  /** Whether the client hung up before. */
  aborted: boolean;
};

export type RecordOptions = {
  /** The oldest calls beyond it are forgotten. */
  limit: number;
  /** `clear` is for tests only. */
  keys: 'digest' | 'clear';
};

export const createCallRecord = ({ limit, keys }: RecordOptions) => {
  const calls: SandboxCall[] = [];
  return {
    calls,
    /** Returns what to call when the reply is over. */
    start: ({ key, ...asked }: Pick<SandboxCall, 'provider' | 'key' | 'path' | 'model' | 'body' | 'traceparent'>) => {
      const call: SandboxCall = {
        ...asked,
        key: keys === 'clear' ? key : createHash('sha256').update(key).digest('hex'),
        startedAt: Date.now(),
        finishedAt: null,
        status: null,
        completed: false,
        aborted: false,
      };
      calls.push(call);
      if (calls.length > limit) calls.shift();
      return (status: number, sent: Sent): void => {
        call.status = status;
        call.finishedAt = Date.now();
        call.completed = sent === 'whole';
        call.aborted = sent === 'abandoned';
      };
    },
  };
};
