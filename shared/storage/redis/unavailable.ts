/** The one place that judges errors of Redis: by what they mean for the command, never by where in a text they stand. */
import { LoggableError } from '../../domain/log.ts';

/**
 * Answers of a server that is there and does not serve, by the code that Redis gives them, and why in
 * our words. The codes are those of `createSharedObjects` in Redis' src/server.c, `MAXCLIENTS` is
 * ours. What an operator changes (a user's permissions, a password) counts as well:
 * the same command may succeed later.
 */
const NOT_SERVING = {
  BUSY: 'a script has run for too long',
  UNKILLABLE: 'a script has run for too long and cannot be ended',
  LOADING: 'it still loads its data',
  READONLY: 'it is a replica',
  MASTERDOWN: 'it is a replica that has lost its master',
  UNBLOCKED: 'it has just become a replica',
  NOREPLICAS: 'too few replicas follow it (min-replicas-to-write)',
  OOM: 'its memory is full (maxmemory)',
  MISCONF: 'it cannot write to its disk',
  CLUSTERDOWN: 'its cluster is down',
  TRYAGAIN: 'its cluster moves keys',
  MOVED: 'it is a node of a cluster, which the gateway does not support',
  ASK: 'it is a node of a cluster, which the gateway does not support',
  NOAUTH: 'it demands a password',
  WRONGPASS: 'it refuses the user or the password',
  NOPERM: 'the user may not run a command that the gateway needs',
  MAXCLIENTS: 'it has no connection left (maxclients)',
  DENIED: 'it is in protected mode and takes no connections from other machines',
} as const satisfies Record<string, string>;

type RefusalCode = keyof typeof NOT_SERVING;

/**
 * Why a command was not served. `no_answer`: whether it ran is unknown. `unknown_error`: the server, or
 * a proxy or a host before it, said something that does not prove a mistake of ours.
 */
export type Unavailability = RefusalCode | 'no_answer' | 'unknown_error';

const sayWhy = (why: Unavailability, code: string): string => {
  switch (why) {
    case 'no_answer':
      return 'Redis does not answer';
    case 'unknown_error':
      return `Redis does not serve: it, or a proxy before it, answered with an error unknown to the gateway (${code})`;
    default:
      return `Redis does not serve: ${NOT_SERVING[why]}`;
  }
};

/** Redis did not answer, or may not. Holds nothing of ioredis' own error, which carries the command's arguments. */
export class RedisUnavailable extends LoggableError {
  readonly why: Unavailability;

  constructor(why: Unavailability = 'no_answer', code = 'ERR') {
    super(sayWhy(why, code));
    this.name = 'RedisUnavailable';
    this.why = why;
  }
}

/** Redis refused a command that was wrong, or keys that do not hold what they should: a mistake of ours, which no waiting mends. */
export class RedisRefused extends LoggableError {
  constructor(message: string) {
    super(message);
    this.name = 'RedisRefused';
  }
}

/**
 * What stands before the code that counts: Redis 6.2 wraps errors of scripts, a script may raise one
 * that it caught, a transaction names what broke it, and ioredis what its first question met. Anchored, because arguments are quoted further on.
 */
const WRAPPING =
  /^(?:Ready check failed: )?(?:ERR )?(?:-|Error running (?:script|function) \(call to [^)]*\): |@?user_(?:script|function):\s?\d+: |(?:ERR )?EXECABORT Transaction discarded because of: )*/;

/** How answers begin to which Redis gives no code of their own: src/networking.c, and src/script.c of 7.0. */
const WITHOUT_CODE = {
  'max number of clients': 'MAXCLIENTS',
  'The user executing the script': 'NOPERM',
  'Script attempted to access a non local key': 'MOVED',
} as const satisfies Record<string, RefusalCode>;

const bareText = (text: string): string => text.replace(WRAPPING, '').replace(/^ERR /, '');

const codeOf = (text: string): string => {
  const bare = bareText(text);
  const known = Object.entries(WITHOUT_CODE).find(([beginning]) => bare.startsWith(beginning));
  return known?.[1] ?? /^[A-Z]{2,}\b/.exec(bare)?.[0] ?? 'ERR';
};

/** Codes that only a wrong command, or a key of a wrong type, is answered with. */
const CODES_OF_MISTAKES: ReadonlySet<string> = new Set([
  'WRONGTYPE',
  'CROSSSLOT',
  'NOGROUP',
  'BUSYGROUP',
  'BUSYKEY',
  'NOPROTO',
]);

/** How Redis begins to say that a command is wrong, where it gives no code: src/server.c, src/object.c, src/t_*.c and src/eval.c. */
const TEXTS_OF_MISTAKES = [
  'unknown command',
  'unknown subcommand',
  'wrong number of arg',
  'syntax error',
  'error compiling script',
  'value is not ',
  'hash value is not ',
  'min or max is not ',
  'increment ',
  'index out of range',
  'no such key',
  'invalid expire time',
  'invalid stream id',
  'the id specified in xadd',
];

/** Where a script stood. Only a command that Redis itself ran, or the script's own line, is placed. */
const PLACE = /@?user_(?:script|function):\s?\d+/;

/** Whether no waiting can mend it. Of a text that nobody knows that is not said: an answer that was paid for hangs on it. */
const isMistake = (text: string): boolean => {
  const code = codeOf(text);
  if (code !== 'ERR') return CODES_OF_MISTAKES.has(code);
  const bare = bareText(text).toLowerCase();
  return PLACE.test(text) || TEXTS_OF_MISTAKES.some((beginning) => bare.startsWith(beginning));
};

const isRefusalCode = (code: string): code is RefusalCode => Object.hasOwn(NOT_SERVING, code);

/** ioredis keeps what the commands of a transaction were refused with beside the transaction's own error. */
const causesOf = (error: Error): Error[] =>
  'previousErrors' in error && Array.isArray(error.previousErrors) && error.previousErrors.length > 0
    ? error.previousErrors.filter((cause) => cause instanceof Error)
    : [error];

/** What an error of ioredis, BullMQ or our own means. */
export const classify = (error: unknown): RedisUnavailable | RedisRefused => {
  if (error instanceof RedisUnavailable || error instanceof RedisRefused) return error;
  // BullMQ passes on what Redis answered in errors of its own class, and in those without a code.
  if (!(error instanceof Error) || (error.name !== 'ReplyError' && !isRefusalCode(codeOf(error.message)))) {
    return new RedisUnavailable();
  }
  const causes = causesOf(error);
  for (const cause of causes) {
    const code = codeOf(cause.message);
    if (isRefusalCode(code)) return new RedisUnavailable(code);
  }
  // Redis quotes arguments here and there: of its sentence only the code, and the script's line, are kept.
  const { message } = causes.find((cause) => isMistake(cause.message)) ?? {};
  if (message === undefined) return new RedisUnavailable('unknown_error', codeOf(error.message));
  const [place = ''] = PLACE.exec(message) ?? [];
  return new RedisRefused(`Redis refused a command: ${codeOf(message)} ${place}`.trimEnd());
};

/** Whether the address may lead to another server by now, which takes the command. */
export const isOfReplica = (error: Error): boolean => {
  const judged = classify(error);
  return judged instanceof RedisUnavailable && ['READONLY', 'MASTERDOWN', 'UNBLOCKED'].includes(judged.why);
};

export const isUnknownScript = (error: unknown): boolean =>
  error instanceof Error && codeOf(error.message) === 'NOSCRIPT';

export const isUnknownFunction = (error: unknown): boolean =>
  error instanceof Error && /^(?:ERR )?Function not found/.test(error.message);

/** Whether functions themselves are refused, by the user's permissions or by what stands before Redis. */
export const isRefusedFunction = (error: unknown): boolean =>
  error instanceof Error && /(?:permissions to run the|unknown command) '(?:fcall|function)/i.test(error.message);

/** Waits for an answer of Redis; rejects with RedisUnavailable, or with RedisRefused where our own call was wrong. */
export const answerOf = async <T>(command: Promise<T>): Promise<T> => {
  try {
    return await command;
  } catch (error) {
    throw classify(error);
  }
};

/** The answers of a pipeline or a transaction, in their order; rejects as `answerOf` does if one of them is an error. */
export const answersOf = async (commands: Promise<[Error | null, unknown][] | null>): Promise<unknown[]> => {
  const replies = await answerOf(commands);
  // A transaction without WATCH has an answer unless its connection was lost.
  if (replies === null) throw new RedisUnavailable();
  return replies.map(([error, reply]) => {
    if (error) throw classify(error);
    return reply;
  });
};
