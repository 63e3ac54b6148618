/** The sandbox's answers: always the same text for the same request, and tokens counted from its length. */

import type { Answer, Ask, Finish, Wire } from '../providers/stand-in/wire.ts';
import type { Directives } from './directives.ts';
import { sampleOf } from './sample.ts';

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

/** So many tokens an image or a file counts. */
const TOKENS_A_MEDIUM = 1_000;

/** A tool's call ends a turn; else the text has the form that was asked for, or is the sandbox's own. */
const said = (provider: Wire['provider'], ask: Ask): Pick<Answer, 'text' | 'finish' | 'stopSequence'> => {
  const { calls, form } = ask.wants;
  if (calls.length > 0) return { text: '', finish: 'tool_calls', stopSequence: null };
  return shorten(form ? JSON.stringify(sampleOf(form.schema)) : compose(provider, ask), ask);
};

export const answerTo = (provider: Wire['provider'], ask: Ask, directives: Directives, id: string): Answer => {
  const { wants } = ask;
  const { text, finish, stopSequence } = said(provider, ask);
  const reasoning = wants.reasoning ? { text: 'The sandbox thinks of nothing.', signature: `signed-${id}` } : null;
  const calls = wants.calls.map(({ name, schema }, index) => ({
    id: `call_${id.replace(/\W/g, '_')}_${index + 1}`,
    name,
    arguments: sampleOf(schema),
  }));
  const thought = tokensIn(reasoning?.text ?? '');
  return {
    id,
    model: ask.model,
    text,
    reasoning,
    calls,
    choices: wants.choices,
    logprobs: wants.logprobs,
    finish: directives.finish ?? finish,
    stopSequence,
    tokens: {
      input:
        ask.texts.reduce((sum, each) => sum + tokensIn(each) + TOKENS_PER_MESSAGE, 0) + TOKENS_A_MEDIUM * wants.media,
      cached: directives.cached ?? 0,
      cacheWritten: directives['cache-written'] ?? 0,
      output: (tokensIn(text) + thought + (calls.length > 0 ? tokensIn(JSON.stringify(calls)) : 0)) * wants.choices,
      reasoning: thought,
    },
  };
};
