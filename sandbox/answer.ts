/** The sandbox's answers: always the same text for the same request, and tokens counted from its length. */

import type { Answer, Ask, Finish, Wire } from '../providers/stand-in/wire.ts';
import type { Directives } from './directives.ts';

const CHARACTERS_PER_TOKEN = 4;
const TOKENS_PER_MESSAGE = 4;
const QUOTED_CHARACTERS = 80;

const tokensIn = (text: string): number => Math.ceil(text.length / CHARACTERS_PER_TOKEN);

const compose = (provider: Wire['provider'], { model, prompt }: Ask): string => {
  const said = prompt.replace(/\s+/g, ' ').trim();
  const quoted = said.length > QUOTED_CHARACTERS ? `${said.slice(0, QUOTED_CHARACTERS).toWellFormed()}…` : said;
  return (
    `This is the sandbox speaking as ${model} of ${provider}: no model was asked and nothing was billed. ` +
    `You said: “${quoted}”. Your request went through the real queue, worker and SDK; ` +
    `with provider credentials configured, the model’s own answer stands here.`
  );
};

/** Shortened as a provider would: at the first stop sequence, then at the limit of tokens. */
const shorten = (text: string, { stop, maxTokens }: Ask): Pick<Answer, 'text' | 'finish' | 'stopSequence'> => {
  let finish: Finish = 'stop';
  let stopSequence: string | null = null;
  let kept = text;
  for (const sequence of stop) {
    const at = kept.indexOf(sequence);
    if (at < 0) continue;
    kept = kept.slice(0, at);
    finish = 'stop_sequence';
    stopSequence = sequence;
  }
  if (maxTokens !== null && tokensIn(kept) > maxTokens) {
    kept = kept.slice(0, maxTokens * CHARACTERS_PER_TOKEN).toWellFormed();
    finish = 'length';
    stopSequence = null;
  }
  return { text: kept, finish, stopSequence };
};

export const answerTo = (provider: Wire['provider'], ask: Ask, directives: Directives, id: string): Answer => {
  const { text, finish, stopSequence } = shorten(compose(provider, ask), ask);
  return {
    id,
    model: ask.model,
    text,
    finish: directives.finish ?? finish,
    stopSequence,
    tokens: {
      input: ask.texts.reduce((sum, each) => sum + tokensIn(each) + TOKENS_PER_MESSAGE, 0),
      cached: directives.cached ?? 0,
      cacheWritten: directives['cache-written'] ?? 0,
      output: tokensIn(text),
    },
  };
};
