/** Calls of the gateway's own adapters at a server that streams what it is told to, and closes with its test. */
import type { ServerResponse } from 'node:http';
import { afterEach } from 'vitest';
import type { EventSink } from '../../../providers/call/provider.ts';
import { perProvider, type UserProvider } from '../../../providers/catalogue.ts';
import { createProviders } from '../../../providers/registry.ts';
import { Secret } from '../../../shared/keys/secret.ts';
import { type Example, type StreamedFormat, written } from '../../support/network/stream-examples.ts';
import { type RawServer, startRawServer } from '../raw-server.ts';

export const KEY = 'sk-ant-api03-Zq8Wv3Xn5Lp7Rt9Yb2Mc4';
export const BODY = '{"model":"m","stream":true,"stream_options":{"include_usage":true}}';

const open: { close: () => Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

export type Given = { text: string; kind: 'prelude' | 'content' };
type Options = {
  provider?: UserProvider;
  body?: string;
  timeoutMs?: number;
  signal?: AbortSignal;
  onEvent?: (given: readonly Given[]) => void;
};

const DEFAULT_PROVIDER: Record<StreamedFormat, UserProvider> = {
  'openai.chat': 'openai',
  'openai.responses': 'openai',
  'anthropic.messages': 'anthropic',
};

/** A call of `format` at a server that answers with what `answer` writes. */
export const pass = async (
  format: StreamedFormat,
  answer: (response: ServerResponse) => void,
  { provider = DEFAULT_PROVIDER[format], body = BODY, timeoutMs = 10_000, signal, onEvent }: Options = {},
) => {
  const server: RawServer = await startRawServer((_request, response) => answer(response));
  const providers = createProviders({
    urls: perProvider((each) => server.url + (each === 'anthropic' ? '' : '/v1')),
    awsRegion: 'us-east-1',
    bedrockAuth: { kind: 'default_chain' },
  });
  open.push(server, ...Object.values(providers));
  const given: Given[] = [];
  const sink: EventSink = {
    event: (bytes, kind) => {
      given.push({ text: bytes.toString(), kind });
      onEvent?.(given);
    },
  };
  const outcome = await providers[provider].pass({
    request: { format, body: Buffer.from(body), headers: {} },
    userKey: new Secret(KEY),
    traceparent: null,
    timeoutMs,
    signal: signal ?? new AbortController().signal,
    events: sink,
  });
  const bytes = outcome.kind === 'completed' && 'bytes' in outcome.result ? outcome.result.bytes.toString() : null;
  return { outcome, given, bytes, sent: server.received[0]?.body ?? '' };
};

export const MEDIA_TYPE = 'text/event-stream; charset=utf-8';
export const HEAD = { 'content-type': MEDIA_TYPE, 'x-request-id': 'req_1', 'request-id': 'req_1' };
export const streams =
  (...parts: readonly (string | Buffer)[]) =>
  (response: ServerResponse): void => {
    response.writeHead(200, HEAD);
    for (const part of parts) response.write(part);
    response.end();
  };
export const textOf = (events: readonly Example[]): string => events.map((event) => written(event)).join('');
