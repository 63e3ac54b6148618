import type { Dialect } from '../foreign/dialect.ts';
import { ANTHROPIC_WORDS } from './error-form.ts';
import { toMessage } from './neutral/to-message.ts';

export const ANTHROPIC: Dialect = {
  base: '/anthropic/v1',
  words: ANTHROPIC_WORDS,
  headers: ['request-id'],
  tell: (c) => c.header('request-id', c.get('requestId')),
  answerOf: toMessage,
};
