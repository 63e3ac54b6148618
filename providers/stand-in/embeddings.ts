/** Embeddings as everybody speaks them, beside a speaker's other calls. https://developers.openai.com/api/reference/resources/embeddings */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Ask, Refusal, type Wire } from './wire.ts';

/** Of OpenAI's smaller model. */
const USUAL_DIMENSIONS = 1_536;
const MOST_INPUTS = 2_048;
const CHARACTERS_PER_TOKEN = 4;

const tokens = z.array(z.int().min(0)).min(1);
const text = z.string().min(1);
const requestForm = z.looseObject({
  model: z.string().min(1),
  input: z.union([
    z.union([text, tokens]).transform((one) => [one]),
    z.array(text).min(1).max(MOST_INPUTS),
    z.array(tokens).min(1).max(MOST_INPUTS),
  ]),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().min(1).max(4_096).nullish(),
  output_dimension: z.int().min(1).max(4_096).nullish(),
});

const askOf = (body: unknown): Ask => {
  const request = requestForm.safeParse(body).data;
  if (request === undefined)
    throw new Refusal(400, 'Invalid request: it needs a model and an input of texts or tokens.');
  const { model, input, encoding_format: encoding, dimensions, output_dimension } = request;
  const texts = input.flatMap((each) => (typeof each === 'string' ? each : []));
  return {
    model,
    texts,
    prompt: texts.at(-1) ?? '',
    maxTokens: null,
    temperature: null,
    stop: [],
    stream: null,
    wants: { calls: [], form: null, reasoning: false, choices: 1, logprobs: false, media: 0 },
    vectors: {
      inputs: input.map((each) => JSON.stringify(each)),
      tokens: input.reduce(
        (sum, each) => sum + (typeof each === 'string' ? Math.ceil(each.length / CHARACTERS_PER_TOKEN) : each.length),
        0,
      ),
      dimensions: dimensions ?? output_dimension ?? USUAL_DIMENSIONS,
      base64: encoding === 'base64',
    },
  };
};

/** Always the same for the same input, and of length 1. */
const vectorOf = (input: string, dimensions: number): Float32Array => {
  const seed = createHash('sha256').update(input).digest().readUInt32LE() % 10_000;
  const raw = Float32Array.from({ length: dimensions }, (_, index) => Math.sin(seed + index + 1));
  const length = Math.hypot(...raw);
  return raw.map((value) => value / length);
};

const answerTo = ({ model, vectors }: Ask) => {
  if (vectors === undefined) throw new TypeError('not asked for vectors');
  const { inputs, dimensions, base64 } = vectors;
  return {
    object: 'list',
    data: inputs.map((input, index) => {
      const vector = vectorOf(input, dimensions);
      const embedding = base64 ? Buffer.from(vector.buffer).toString('base64') : [...vector];
      return { object: 'embedding', index, embedding };
    }),
    model,
    usage: { prompt_tokens: vectors.tokens, total_tokens: vectors.tokens },
  };
};

export const embeddingsWire = (speaker: Wire): Wire => ({
  ...speaker,
  path: /^\/embeddings$/,
  readAsk: askOf,
  answer: (answer, ask) => ({ ...speaker.answer(answer, ask), body: answerTo(ask) }),
});
