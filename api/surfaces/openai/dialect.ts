import type { Dialect } from '../foreign/dialect.ts';
import { OPENAI_WORDS } from './error-form.ts';
import { toChatCompletion } from './neutral/to-chat.ts';

export const OPENAI: Dialect = {
  base: '/openai/v1',
  words: OPENAI_WORDS,
  headers: ['openai-processing-ms'],
  tell: (c, ended) => {
    if (ended !== null) c.header('openai-processing-ms', String(Number(ended.finished) - Number(ended.created)));
  },
  answerOf: toChatCompletion,
};
