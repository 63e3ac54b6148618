/** Gives an answer out as it comes: from its first event on, whenever its reader came, to its end or to an error that says why there is none. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ForeignFormat } from '../../../providers/manifest.ts';
import { JOB_ERRORS, RequestError } from '../../../shared/domain/errors.ts';
import type { JobId } from '../../../shared/domain/ids.ts';
import type { JobView } from '../../../shared/domain/jobs/job.ts';
import { BodyLost } from '../../../shared/storage/bodies/body-store.ts';
import type { FollowEvents } from '../../../shared/storage/events/event-reader.ts';
import type { StoredView } from '../../../shared/storage/jobs/job-view.ts';
import type { WaitStore } from '../../../shared/storage/jobs/wait-store.ts';
import type { HoldAnswer } from '../../http/body/hold-answer.ts';
import type { ApiContext } from '../../http/context.ts';
import { type Failure, failureOf } from '../../http/error-form.ts';
import { type Attendance, type Attending, type Hop, isOver } from './attendance.ts';
import { createBell } from './bell.ts';
import type { Dialect } from './dialect.ts';
import { jobFailure } from './job-failure.ts';
import type { Streamed } from './judge-call.ts';
import { COMMENT, STREAM_WORDS } from './stream-words.ts';

/** A job that fails so soon is told with its status. */
const EARLY_MS = 750;
/** After so long without an event, clients and proxies are told that the job goes on. */
const COMMENT_MS = 10_000;
const BEAT_MS = 60_000;
/** Between two looks for the job's end a stream is held on. */
const HELD_ON_MS = 15_000;
/** News can be lost. */
const LOOK_MS = 1_000;

const EVENTS = 'text/event-stream';

/** Of a job that completed: its provider gave a whole answer where a stream was asked for. */
const noEvents = (id: JobId): Failure => {
  const { status, type, message } = JOB_ERRORS.provider_bad_response;
  return { of: 'job', code: 'provider_bad_response', status, type, message, param: null, more: { job_id: id } };
};

const EXPIRED = failureOf(new RequestError('result_expired'));

type Needs = {
  attending: Attending;
  followEvents: FollowEvents;
  waits: Pick<WaitStore, 'answerOf' | 'open'>;
  holdAnswer: HoldAnswer;
};

export type StreamAnswer = (
  c: ApiContext,
  dialect: Dialect,
  call: { view: JobView; format: ForeignFormat; hop: Hop; stream: Streamed },
) => Promise<Response>;

/** Watches for the job's end, and holds its lease until then. */
const watchEnd = (attendance: Attendance, { holdMs }: Hop, ring: () => void) => {
  let ended: StoredView | 'absent' | null = null;
  const watch = async (): Promise<void> => {
    while (ended === null && !attendance.gone.aborted) {
      const startedMs = performance.now();
      const { seen } = await attendance.wait(holdMs, holdMs + HELD_ON_MS);
      if (seen === 'absent' || isOver(seen)) ended = seen;
      // Nobody waits any more in a process that stops.
      else await delay(Math.max(0, startedMs + LOOK_MS - performance.now()), undefined, { ref: false });
    }
    ring();
  };
  void watch();
  return { ended: () => ended };
};

export const createStreamAnswer =
  ({ attending, followEvents, waits, holdAnswer }: Needs): StreamAnswer =>
  async (c, dialect, { view: { id, record }, format, hop, stream: { wholeAs } }) => {
    const tenant = c.get('tenant');
    const words = STREAM_WORDS[format];
    if (words === undefined) throw new Error(`a stream of ${format}, which has none`);
    const bell = createBell();
    const attendance = attending.attend(c, id, hop);
    const reader = wholeAs === null ? await followEvents({ tenant, id }, bell.ring) : null;
    const whenGone = (): void => {
      reader?.leave();
      bell.ring();
    };
    if (attendance.gone.aborted) whenGone();
    else attendance.gone.addEventListener('abort', whenGone, { once: true });
    const end = watchEnd(attendance, hop, bell.ring);

    let sentBytes = 0;
    let isLost = false;
    const read = async (attempts: number): Promise<Buffer> => {
      if (reader === null || isLost) return Buffer.alloc(0);
      try {
        return await reader.read(attempts);
      } catch (error) {
        // The rest comes with the whole answer, at its end; all else passes.
        isLost = error instanceof BodyLost;
        return Buffer.alloc(0);
      }
    };

    /** The next events; empty if none came in time, null if all came. */
    const next = async (limitMs: number): Promise<Buffer | null> => {
      const untilMs = performance.now() + limitMs;
      for (;;) {
        if (attendance.gone.aborted) throw new RequestError('request_timeout');
        // What was shown before the end is there by then.
        const ended = end.ended();
        const attempts = ended === null || ended === 'absent' ? record.attempts : ended.record.attempts;
        const events = await read(Number(attempts ?? 0));
        sentBytes += events.length;
        if (events.length > 0) return events;
        if (ended !== null) return null;
        const leftMs = untilMs - performance.now();
        if (leftMs <= 0) return events;
        await bell.wait(Math.min(leftMs, LOOK_MS));
      }
    };

    const requestId = c.get('requestId');
    const told = (failure: Failure): Buffer =>
      Buffer.from(words.error(dialect.words.form(failure, { requestId, retryAfterSeconds: null }).body));
    /** What comes behind the last event that was read. */
    const rest = async (): Promise<Buffer> => {
      const ended = end.ended();
      if (ended === null || ended === 'absent') return told(EXPIRED);
      if (ended.record.status !== 'completed') return told(jobFailure(id, ended.record).failure);
      if (wholeAs !== null) {
        const { result, ...view } = await waits.open(tenant, ended);
        return result === null ? told(EXPIRED) : Buffer.from(wholeAs({ ...view, result }, result));
      }
      if (reader?.entries() === Number(ended.record.events ?? -1)) return Buffer.alloc(0);
      const answer = await waits.answerOf(tenant, ended, (bytes) => holdAnswer(c, tenant, bytes));
      if (answer === null) return told(EXPIRED);
      return answer.mediaType.startsWith(EVENTS) ? answer.bytes.subarray(sentBytes) : told(noEvents(id));
    };

    c.get('logged').job_id = id;
    c.header('X-Gateway-Job-Id', id);
    const first = await next(EARLY_MS);
    const ended = end.ended();
    if (
      first === null &&
      ended !== null &&
      ended !== 'absent' &&
      ended.record.status !== 'completed' &&
      sentBytes === 0
    ) {
      throw jobFailure(id, ended.record);
    }

    let beatMs = performance.now();
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          if (first !== null) controller.enqueue(first.length > 0 ? first : Buffer.from(COMMENT));
        },
        pull: async (controller) => {
          try {
            const isLetIn = await c
              .get('isLetInStill')()
              .catch(() => true);
            if (!isLetIn) throw new RequestError('invalid_api_key');
            const events = await next(COMMENT_MS);
            if (events === null) {
              const last = await rest();
              if (last.length > 0) controller.enqueue(last);
              return controller.close();
            }
            const isBeat = events.length === 0 && performance.now() - beatMs >= BEAT_MS;
            if (events.length > 0 || isBeat) beatMs = performance.now();
            if (events.length > 0) controller.enqueue(events);
            else controller.enqueue(Buffer.from(isBeat ? words.beat(id, record) : COMMENT));
          } catch (error) {
            attendance.leave();
            controller.error(error);
          }
        },
      },
      { highWaterMark: 0 },
    );
    dialect.tell(c, null);
    return c.body(body, 200, {
      'Content-Type': `${EVENTS}; charset=utf-8`,
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
    });
  };
