/** A provider that keeps the bytes of every request, and answers what it is told to, byte for byte. It speaks for OpenAI and Anthropic. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';

export type RecordedCall = {
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Whether the caller closed the connection before it had its answer. */
  isCut: () => boolean;
};
export type PlannedAnswer = {
  status?: number;
  headers?: Record<string, string>;
  /** Pieces are sent as they come. */
  body: string | Buffer | AsyncIterable<string>;
};

export type RecordingProvider = {
  urls: Record<'openai' | 'anthropic', string>;
  calls: RecordedCall[];
  /** What calls are answered from now on. */
  answerWith: (answer: (call: RecordedCall) => PlannedAnswer | Promise<PlannedAnswer>) => void;
  close: () => Promise<void>;
};

/** Answers that each dialect takes for a whole one. */
export const WHOLE_ANSWERS = {
  '/v1/chat/completions': JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'gpt-4o-mini',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Hello.' } }],
    usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 },
  }),
  '/v1/responses': JSON.stringify({
    id: 'resp_1',
    object: 'response',
    status: 'completed',
    model: 'gpt-4o-mini',
    error: null,
    output: [{ type: 'message', id: 'm', role: 'assistant', content: [{ type: 'output_text', text: 'Hello.' }] }],
    usage: { input_tokens: 9, output_tokens: 3, total_tokens: 12 },
  }),
  '/v1/embeddings': JSON.stringify({
    object: 'list',
    data: [{ object: 'embedding', index: 0, embedding: 'AACAPwAAAAA=' }],
    model: 'text-embedding-3-small',
    usage: { prompt_tokens: 9, total_tokens: 9 },
  }),
  '/v1/messages/count_tokens': JSON.stringify({ input_tokens: 9 }),
  '/v1/messages': JSON.stringify({
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5',
    content: [{ type: 'text', text: 'Hello.' }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 9, output_tokens: 3 },
  }),
} as const;

const isKnown = (path: string): path is keyof typeof WHOLE_ANSWERS => Object.hasOwn(WHOLE_ANSWERS, path);

export const startRecordingProvider = async (): Promise<RecordingProvider> => {
  const calls: RecordedCall[] = [];
  let plan: (call: RecordedCall) => PlannedAnswer | Promise<PlannedAnswer> = ({ path }) =>
    isKnown(path) ? { body: WHOLE_ANSWERS[path] } : { status: 404, body: '{}' };
  const server = createServer((request, response) => {
    void buffer(request).then(async (body) => {
      const isCut = () => response.destroyed && !response.writableFinished;
      const call = { path: request.url ?? '', headers: request.headers, body, isCut };
      calls.push(call);
      const { status = 200, headers = {}, body: answer } = await plan(call);
      response.writeHead(status, { 'content-type': 'application/json', 'x-request-id': 'req_1', ...headers });
      if (typeof answer === 'string' || Buffer.isBuffer(answer)) {
        response.end(answer);
        return;
      }
      response.flushHeaders();
      try {
        for await (const piece of answer) if (!response.destroyed) response.write(piece);
        response.end();
      } catch {
        response.destroy();
      }
    });
  });
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await listening;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('listens nowhere');
  const url = `http://127.0.0.1:${address.port}`;
  return {
    urls: { openai: `${url}/v1`, anthropic: url },
    calls,
    answerWith: (answer) => {
      plan = answer;
    },
    close: async () => {
      server.closeAllConnections();
      const { promise, resolve: closed } = Promise.withResolvers<void>();
      server.close(() => closed());
      await promise;
    },
  };
};
