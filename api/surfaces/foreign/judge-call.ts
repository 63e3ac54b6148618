/** Whose account a call runs on, and what it is found to ask for there: the provider's own words on a user's key, the neutral form on the platform's account. */
import { manifestOf, type UserProvider } from '../../../providers/catalogue.ts';
import type { ForeignFormat } from '../../../providers/manifest.ts';
import type { CompletionResult } from '../../../shared/domain/conversation/result.ts';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ForwardedHeaders } from '../../../shared/domain/formats.ts';
import type { JobView } from '../../../shared/domain/jobs/job.ts';
import type { Caller } from '../../../shared/domain/tenants/caller.ts';
import type { UserCredential } from '../../../shared/keys/user/user-key.ts';
import { parseJson } from '../../http/body/parse-json.ts';
import type { JudgeForeign } from '../../intake/foreign/judge-foreign.ts';
import type { ResolveAccount, ResolvedAccount } from '../../intake/resolve-account.ts';
import { streamFlag } from '../../intake/stream-flag.ts';
import type { Submission } from '../../intake/submit-job.ts';
import type { OnUnsupported } from '../../intake/support/lacks.ts';
import { BODY_NAMES } from '../../intake/support/names.ts';
import type { JudgeTranslated } from '../../intake/translation/judge-translated.ts';
import type { Translate } from '../../intake/translation/read-translated.ts';

/** How calls of a path run on the platform's account. */
export type OnPlatform = {
  translate: Translate;
  /** A whole answer as a stream; `asked`: the body. */
  streamOf: (view: JobView, result: CompletionResult, asked: unknown) => string;
};

/** How an answer is given out that is to be streamed: as it comes, or as it is once it is whole. */
export type Streamed = { wholeAs: ((view: JobView, result: CompletionResult) => string) | null };

export type JudgedCall = {
  account: ResolvedAccount;
  judged: Submission['judged'];
  /** That the body names for the job. */
  metadata: Record<string, string>;
  /** Null if the answer is not to be streamed. */
  stream: Streamed | null;
};

type Needs = { judgeForeign: JudgeForeign; judgeTranslated: JudgeTranslated; resolveAccount: ResolveAccount };
type Call = {
  caller: Caller;
  user: UserCredential | null;
  format: ForeignFormat;
  onPlatform: OnPlatform | null;
  bytes: Buffer;
  headers: ForwardedHeaders;
  onUnsupported: OnUnsupported;
};

export type JudgeCall = (call: Call) => JudgedCall;

const demandSpoken = (provider: UserProvider, format: ForeignFormat): void => {
  if (manifestOf(provider).formats[format] !== undefined) return;
  throw new RequestError('user_provider_mismatch', {
    param: 'X-User-Provider',
    message: `${manifestOf(provider).label} does not speak the words of this path, ${format}.`,
  });
};

/** Throws RequestError 400; the user's key is forgotten by then. */
export const createJudgeCall = ({ judgeForeign, judgeTranslated, resolveAccount }: Needs): JudgeCall => {
  const onKey = (user: UserCredential, { caller, format, bytes, headers }: Call): JudgedCall => {
    demandSpoken(user.provider, format);
    const account = resolveAccount(caller.tenant, user);
    const judged = judgeForeign({ format, bytes, headers }, { account, caller, names: BODY_NAMES });
    return { account, judged, metadata: {}, stream: judged.streamed ? { wholeAs: null } : null };
  };
  const onAccount = ({ translate, streamOf }: OnPlatform, { caller, bytes, onUnsupported }: Call): JudgedCall => {
    const account = resolveAccount(caller.tenant, null);
    const json = parseJson(bytes, 'The body');
    const { judged, metadata } = judgeTranslated(json, { account, caller, translate, onUnsupported });
    const isStreamed = typeof json === 'object' && json !== null && 'stream' in json && streamFlag(json.stream);
    return {
      account,
      judged: { ...judged, streamed: false },
      metadata,
      stream: isStreamed ? { wholeAs: (view, result) => streamOf(view, result, json) } : null,
    };
  };
  return (call) => {
    const { user, onPlatform } = call;
    if (user === null) {
      if (onPlatform !== null) return onAccount(onPlatform, call);
      throw new RequestError('user_key_required', {
        param: 'X-User-API-Key',
        message: 'This path runs on users’ keys only: send the user’s own key in X-User-API-Key.',
      });
    }
    try {
      return onKey(user, call);
    } catch (error) {
      user.key.forget();
      throw error;
    }
  };
};
