/** Clients that wait for their answers: official SDKs as they come, and readers of streams that look at every byte. */
import { setTimeout as delay } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import type { Random } from '../../support/random.ts';
import { hookOf, platformKeyOf, type Stage } from '../stage/stage.ts';
import type { History, JobPlan } from './history.ts';

/** What such a client knows in the end: of which job, and what it was told. */
export type Heard = { id: string; text: string | null };

type Asked = { plan: JobPlan; prompt: string };
export type WaitingClients = {
  /** A call that is held until its job ends. */
  call: (asked: Asked) => Promise<Heard>;
  /** A stream, read to an end that says how it ended. */
  stream: (asked: Asked) => Promise<Heard>;
};

const PATIENCE_MS = 240_000;
const PAUSE_MS = 500;
/** So long a client waits before it sends again: a frozen API must not hold it for ever. */
const TIMEOUT_MS = 20_000;
/** Longer than any silence of a stream that lives. */
const SILENCE_MS = 15_000;

type Piece = { choices?: { delta: { content?: string | null } }[]; delta?: { text?: string } };
/** What the events of a stream say together, in either dialect. */
const saidIn = (events: string): string =>
  [...events.matchAll(/^data: (\{.*\})$/gm)]
    .map(([, data = '{}']) => JSON.parse(data) as Piece)
    .map(({ choices, delta }) => choices?.[0]?.delta.content ?? delta?.text ?? '')
    .join('');

const MODELS = { openai: 'gpt-4o', anthropic: 'claude-opus-4-8', platform: 'amazon.nova-lite-v1:0' } as const;

export const createWaitingClients = (stage: Stage, history: History, random: Random): WaitingClients => {
  const { gateway } = stage;
  const note = (status: number): void => {
    history.answers.set(status, (history.answers.get(status) ?? 0) + 1);
  };
  const origin = (): string => gateway.apis[random.below(gateway.apis.length)]?.url ?? 'http://127.0.0.1:9';
  /** As a balancer does it: each request goes to some API; the hops of a call go on where it is. */
  const balanced: typeof fetch = async (input, init) => {
    const { pathname, search } = new URL(input instanceof Request ? input.url : input);
    try {
      const answer = await fetch(`${origin()}${pathname}${search}`, init);
      note(answer.status);
      return answer;
    } catch (error) {
      note(0);
      throw error;
    }
  };
  const headersOf = ({ number, tenant, credential, webhook }: JobPlan): Record<string, string> => ({
    'Idempotency-Key': `chaos-${number}`,
    ...(webhook ? { 'X-Gateway-Webhook-Url': hookOf(stage, number) } : {}),
    ...(credential === 'platform' ? {} : { 'X-User-API-Key': stage.userKeys[tenant][credential] }),
  });
  const sdkOptions = (plan: JobPlan) => ({
    apiKey: platformKeyOf(plan.tenant),
    defaultHeaders: headersOf(plan),
    fetch: balanced,
    timeout: TIMEOUT_MS,
    maxRetries: 5,
  });
  const bodyOf = ({ plan: { credential }, prompt }: Asked) => ({
    model: MODELS[credential],
    max_tokens: 100,
    messages: [{ role: 'user' as const, content: prompt }],
  });

  /** Until it is answered: what an SDK gives up, its user sends again under the same key. */
  const untilHeard = async (asked: Asked, once: () => Promise<Heard | null>): Promise<Heard> => {
    const giveUpAt = performance.now() + PATIENCE_MS;
    for (;;) {
      const heard = await once();
      if (heard !== null) return heard;
      if (performance.now() > giveUpAt)
        throw new Error(`call ${asked.plan.number} was not answered for ${PATIENCE_MS} ms`);
      await delay(PAUSE_MS * random.between(1, 2));
    }
  };

  const overOpenAI = async (asked: Asked): Promise<Heard> => {
    const client = new OpenAI({ ...sdkOptions(asked.plan), baseURL: 'http://gateway/openai/v1' });
    const { data, response } = await client.chat.completions.create(bodyOf(asked)).withResponse();
    return { id: response.headers.get('x-gateway-job-id') ?? '', text: data.choices[0]?.message.content ?? '' };
  };
  const overAnthropic = async (asked: Asked): Promise<Heard> => {
    const client = new Anthropic({ ...sdkOptions(asked.plan), baseURL: 'http://gateway/anthropic' });
    const { data, response } = await client.messages.create(bodyOf(asked)).withResponse();
    const [block] = data.content;
    return { id: response.headers.get('x-gateway-job-id') ?? '', text: block?.type === 'text' ? block.text : '' };
  };

  const SURFACES = {
    openai: { path: '/openai/v1/chat/completions', isWhole: (text: string) => text.endsWith('data: [DONE]\n\n') },
    anthropic: { path: '/anthropic/v1/messages', isWhole: (text: string) => text.includes('event: message_stop\n') },
  } as const;

  /** All of a stream; null if it broke without saying so. A clean end without one of its last events is a violation. */
  const readStream = async (asked: Asked): Promise<Heard | null> => {
    const { number, tenant, credential } = asked.plan;
    const { path, isWhole } = SURFACES[credential === 'anthropic' ? 'anthropic' : 'openai'];
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), TIMEOUT_MS);
    try {
      const answer = await balanced(`http://gateway${path}`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${platformKeyOf(tenant)}`,
          'Content-Type': 'application/json',
          ...headersOf(asked.plan),
        },
        body: JSON.stringify({ ...bodyOf(asked), stream: true }),
        signal: silence.signal,
      });
      const id = answer.headers.get('x-gateway-job-id') ?? '';
      let text = '';
      for await (const piece of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        text += piece;
      }
      if (answer.status !== 200) return answer.headers.get('x-should-retry') === 'true' ? null : { id, text: null };
      const isError = /^(?:event: error\n)?data: \{(?:"type":"error",)?"error":/m.test(text);
      if (!isError && !isWhole(text))
        history.violations.push(`stream ${number} of ${id} ended clean, and is not whole: ${text.slice(-200)}`);
      return { id, text: isError ? null : saidIn(text) };
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    call: (asked) =>
      untilHeard(asked, () =>
        (asked.plan.credential === 'anthropic' ? overAnthropic : overOpenAI)(asked).catch((error: unknown) => {
          if (error instanceof OpenAI.APIError || error instanceof Anthropic.APIError) {
            const retries = error.headers?.get('x-should-retry') !== 'false';
            if (!retries && error.status !== undefined)
              throw new Error(`call ${asked.plan.number}: ${error.status} ${error.message}`);
            return null;
          }
          throw error;
        }),
      ),
    stream: (asked) => untilHeard(asked, () => readStream(asked)),
  };
};
