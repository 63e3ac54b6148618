/** A request in foreign words, from its bytes to a job. */
import type { UserProvider } from '../../../providers/catalogue.ts';
import type { ForeignFormat } from '../../../providers/manifest.ts';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ForwardedHeaders } from '../../../shared/domain/formats.ts';
import { holdsKey } from '../../../shared/keys/key-shapes.ts';
import type { Config } from '../../../shared/process/config/config.ts';
import { broughtKey } from '../../access/brought-key.ts';
import { idempotencyKey } from '../../access/idempotency-key.ts';
import { tellRate } from '../../access/rate-headers.ts';
import { type ReadBody, releaseBody } from '../../http/body/read-body.ts';
import type { ApiContext } from '../../http/context.ts';
import { preferencesOf } from '../../http/headers/preferences.ts';
import { isSent } from '../../http/server/request-secrets.ts';
import type { Submission, Submitted } from '../../intake/submit-job.ts';
import { answerSubmitted } from '../native/jobs/answer-submitted.ts';
import type { Attending } from './attendance.ts';
import type { AwaitJob } from './await-job.ts';
import type { Dialect } from './dialect.ts';
import { gatewayOptions, togetherMetadata } from './gateway-options.ts';
import type { JudgeCall, OnPlatform } from './judge-call.ts';
import type { StreamAnswer } from './stream-answer.ts';

type Needs = {
  submitJob: (submission: Submission) => Promise<Submitted>;
  judgeCall: JudgeCall;
  readBody: ReadBody;
  attending: Attending;
  awaitJob: AwaitJob;
  streamAnswer: StreamAnswer;
  config: Pick<Config, 'production' | 'sandbox' | 'webhooks'>;
};

type ForeignCall = {
  dialect: Dialect;
  route: `POST /${string}`;
  format: ForeignFormat;
  /** Whose interface the path is: a key that comes without a provider is one of its. */
  provider: UserProvider;
  /** Headers of the client that its provider gets, in lower case. */
  forwarded: readonly string[];
  /** Null if they run on users' keys only. */
  onPlatform: OnPlatform | null;
};

const LONGEST_FORWARDED = 1_000;

/** Headers that say how a body is to be read, so that they are as much a part of the request as its bytes. */
const forwardedHeaders = (c: ApiContext, names: readonly string[]): ForwardedHeaders =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = c.req.header(name);
      if (value === undefined) return [];
      if (!/^[\x20-\x7e]*$/.test(value) || value.length > LONGEST_FORWARDED || holdsKey(value)) {
        throw new RequestError('invalid_header', {
          param: name,
          message: `${name} takes at most ${LONGEST_FORWARDED} printable ASCII characters, and no key.`,
        });
      }
      return [[name, value]];
    }),
  );

/** The SDKs say so in a header, and send no Idempotency-Key by themselves. */
const isSentAgain = (c: ApiContext): boolean => /^[1-9]\d{0,3}$/.test(c.req.header('x-stainless-retry-count') ?? '');

export const createSubmitForeign =
  ({ dialect, route, format, provider: ofPath, forwarded, onPlatform }: ForeignCall) =>
  ({ submitJob, judgeCall, readBody, attending, awaitJob, streamAnswer, config }: Needs) =>
  async (c: ApiContext): Promise<Response> => {
    const caller = c.get('caller');
    // What runs on the platform's account is built as JSON.
    const bytes = await readBody(c, caller.tenant, isSent(c, 'X-User-API-Key') ? 'bytes' : 'json');
    const user = broughtKey(c, config, ofPath);
    const { respondAsync, waitMs } = preferencesOf(c);
    const { ifLeft, onUnsupported, ...options } = gatewayOptions(c, config);
    const headers = forwardedHeaders(c, forwarded);
    const { account, judged, metadata, stream } = judgeCall({
      caller,
      user,
      format,
      onPlatform,
      bytes,
      headers,
      onUnsupported,
    });
    if (respondAsync && stream !== null) {
      account.forgetKey();
      throw new RequestError('invalid_header', {
        param: 'Prefer',
        message:
          'An answer cannot be streamed to a client that asked for respond-async; leave out stream, or the preference.',
      });
    }
    const together = togetherMetadata(metadata, options.metadata);
    const hop = respondAsync ? null : attending.hop({ waitMs });
    const submitted = await submitJob({
      caller,
      tellRate: (rate) => {
        releaseBody(c);
        tellRate(c, rate);
      },
      account,
      judged,
      sameness: {
        route,
        parts: (mark) => [
          JSON.stringify([
            format,
            headers,
            options,
            account.provider,
            mark,
            ...(onUnsupported === 'warn' ? ['warn'] : []),
          ]),
          bytes,
        ],
        former: null,
      },
      ...options,
      metadata: together,
      traceparent: c.get('traceparent'),
      idempotencyKey: idempotencyKey(c),
      wait: null,
      waiting: hop && { waiter: hop.waiter, holdMs: hop.holdMs, ifLeft, repeats: isSentAgain(c) },
    }).catch((error: unknown) => {
      if (hop !== null && error instanceof RequestError && error.jobId !== null) attending.giveUp(c, error.jobId, hop);
      throw error;
    });
    if (hop === null) {
      c.header('Preference-Applied', 'respond-async');
      return answerSubmitted(c, submitted);
    }
    const { view, replayed, joined } = submitted;
    if (!replayed && !joined) c.set('unkept', 0);
    if (replayed) c.header('Idempotency-Replayed', 'true');
    if (joined) c.header('X-Gateway-Joined', 'true');
    return stream !== null
      ? streamAnswer(c, dialect, { view, format, hop, stream })
      : awaitJob(c, dialect, { id: view.id, hop, isAccepted: true });
  };
