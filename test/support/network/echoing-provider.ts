import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { serve } from './listen.ts';

export const SCENARIOS = [
  'good',
  'refused key',
  'refused request',
  'limit',
  'broken',
  'page',
  'reset',
  'hang',
  'bad json',
  'cut',
  'error in 200',
] as const;
export type Scenario = (typeof SCENARIOS)[number];

export type EchoingProvider = {
  urls: Record<'openai' | 'anthropic', string>;
  /** The keys that came with calls whose prompt holds this text. */
  keysOf: (text: string) => string[];
  /** From now on what hung is answered well. */
  recover: () => void;
  close: () => Promise<void>;
};

const STATUS: Partial<Record<Scenario, number>> = {
  'refused key': 401,
  'refused request': 400,
  limit: 429,
  broken: 500,
  page: 502,
};

const reply = (
  scenario: Scenario,
  { request, body }: { request: IncomingMessage; body: string },
  response: ServerResponse,
): void => {
  const echo = JSON.stringify([request.headers, body]);
  const key = keyIn(request);
  const headers = {
    'content-type': 'application/json',
    'x-request-id': key,
    'request-id': key,
    'x-echo': key,
    'retry-after': '1',
  };
  const usage = { prompt_tokens: 5, completion_tokens: 5, input_tokens: 5, output_tokens: 5 };
  const good = {
    type: 'message',
    id: key,
    content: [{ type: 'text', text: 'Hello.' }],
    stop_reason: 'end_turn',
    choices: [{ finish_reason: 'stop', message: { role: 'assistant', content: 'Hello.' } }],
    usage,
    echo,
  };
  const error = {
    type: 'error',
    error: { type: key, code: key, param: key, message: `Incorrect API key provided: ${key} (${echo}).` },
  };
  switch (scenario) {
    case 'good':
      response.writeHead(200, headers).end(JSON.stringify(good));
      return;
    case 'reset':
      request.socket.resetAndDestroy();
      return;
    case 'hang':
      return;
    case 'page':
      response.writeHead(502, { ...headers, 'content-type': 'text/html' }).end(`<html><pre>${echo}</pre></html>`);
      return;
    case 'bad json':
      response.writeHead(200, headers).end(`{"id":"${key}","choices":[${echo}`);
      return;
    case 'cut':
      response.writeHead(200, { ...headers, 'content-length': '100000' }).write(JSON.stringify(good));
      setTimeout(() => request.socket.destroy(), 50);
      return;
    case 'error in 200':
      response.writeHead(200, headers).end(JSON.stringify({ ...error, usage }));
      return;
    default:
      response.writeHead(STATUS[scenario] ?? 500, headers).end(JSON.stringify(error));
  }
};

const keyIn = ({ headers }: IncomingMessage): string =>
  String(headers['x-api-key'] ?? headers.authorization ?? '').replace(/^Bearer /, '');

/** The scenario is named in the prompt, between brackets: `[refused key]`. */
export const startEchoingProvider = async (): Promise<EchoingProvider> => {
  const calls: { body: string; key: string }[] = [];
  let recovered = false;
  const server = createServer((request, response) => {
    let body = '';
    request.on('error', () => {});
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      calls.push({ body, key: keyIn(request) });
      const scenario = SCENARIOS.find((each) => body.includes(`[${each}]`)) ?? 'good';
      reply(scenario === 'hang' && recovered ? 'good' : scenario, { request, body }, response);
    });
  });
  const { url, close } = await serve(server);
  return {
    urls: { openai: `${url}/v1`, anthropic: url },
    keysOf: (text) => calls.filter(({ body }) => body.includes(text)).map(({ key }) => key),
    recover: () => {
      recovered = true;
    },
    close,
  };
};
