/** Redis did not answer, or may not: whether the command ran is unknown. Holds nothing of ioredis' own error, which carries the command's arguments. */
export class RedisUnavailable extends Error {
  constructor() {
    super('Redis cannot be reached or does not serve');
    this.name = 'RedisUnavailable';
  }
}

/** Answers of a server that is there and does not serve. Any other answer with an error is a bug of ours. */
const NOT_SERVING = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|MISCONF|NOREPLICAS|NOAUTH|WRONGPASS)\b/;

/** Waits for an answer of Redis; rejects with RedisUnavailable, or with an error that says what was wrong with our own call. */
export const answerOf = async <T>(command: Promise<T>): Promise<T> => {
  try {
    return await command;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ReplyError' || NOT_SERVING.test(error.message)) {
      throw new RedisUnavailable();
    }
    // Redis quotes arguments here and there: of its sentence only the first word, and the script and line, are kept.
    const [, word = 'ERR', place = ''] = /^(\S+).*?((?:user_script|script):\s?\d+)?/.exec(error.message) ?? [];
    throw new Error(`Redis refused a command: ${word} ${place}`);
  }
};
