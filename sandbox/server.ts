/** A local stand-in for the providers: speaks their wire formats, so that the real SDKs run end to end without an account. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { anthropicCountWire, anthropicWire } from '../providers/anthropic/stand-in.ts';
import { bedrockWire } from '../providers/bedrock/stand-in.ts';
import { manifestOf, type Provider, perProvider, sandboxPath } from '../providers/catalogue.ts';
import { openaiResponsesWire } from '../providers/openai/responses-stand-in.ts';
import { openaiWire } from '../providers/openai/stand-in.ts';
import { compatibleWire } from '../providers/openai-compatible/stand-in.ts';
import { VENDOR_NAMES, vendorOf } from '../providers/openai-compatible/vendors.ts';
import { embeddingsWire } from '../providers/stand-in/embeddings.ts';
import { Refusal, type Wire } from '../providers/stand-in/wire.ts';
import { createCallRecord, type RecordOptions, type SandboxCall } from './call-record.ts';
import { demandWhatIsReal } from './demands.ts';
import { createReplyPlanner, sendable } from './plan-reply.ts';
import { type Sendable, type Sent, sendReply } from './send-reply.ts';

const WIRES: readonly Wire[] = [
  openaiWire,
  openaiResponsesWire,
  embeddingsWire(openaiWire),
  anthropicWire,
  anthropicCountWire,
  bedrockWire,
  ...VENDOR_NAMES.flatMap((vendor) => {
    const wire = compatibleWire(vendor);
    return vendorOf(vendor).formats['openai.embeddings'] ? [wire, embeddingsWire(wire)] : [wire];
  }),
];

/** The wire that answers a path, and what the path holds below its base URL. */
const wireAt = (path: string): { wire: Wire; groups: Partial<Record<string, string>> } | null => {
  for (const wire of WIRES) {
    const base = sandboxPath(wire.provider);
    const found = path.startsWith(base) ? wire.path.exec(path.slice(base.length)) : null;
    if (found) return { wire, groups: found.groups ?? {} };
  }
  return null;
};

/** Sample keys alone, so that nobody's real key is typed into a sandbox; of the platform's account anything. */
const isSample = (provider: Provider, key: string): boolean => {
  const manifest = manifestOf(provider);
  return manifest.account === 'platform' ? key !== '' : key.startsWith(manifest.keys.samplesBegin);
};

const LONGEST_BODY_BYTES = 32 * 1024 * 1024;

export type SandboxOptions = {
  host?: string;
  /** 0 takes any free port. */
  port?: number;
  /** About how long an answer takes; long ones take longer. 0 answers at once. */
  delayMs?: number;
  /** Takes other keys than the documented samples, and models and values that no real provider takes: for tests. */
  acceptAnyKey?: boolean;
  /** Null keeps no record of calls, so that memory stays flat. */
  record?: RecordOptions | null;
};

export type Sandbox = {
  url: string;
  port: number;
  /** In the form of the variables `PROVIDER_<NAME>_URL`. */
  providerUrls: Record<Provider, string>;
  /** Oldest first; grows and changes while calls run. */
  calls: readonly SandboxCall[];
  /** Ends every connection and frees the port. */
  close(): Promise<void>;
};

const readBody = async (request: IncomingMessage): Promise<unknown> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const buffer: Buffer = chunk;
    bytes += buffer.length;
    if (bytes > LONGEST_BODY_BYTES) throw new Refusal(413, 'The request is too large.');
    chunks.push(buffer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new Refusal(400, 'We could not parse the JSON body of your request.');
  }
};

const modelIn = (body: unknown): string =>
  typeof body === 'object' && body !== null && 'model' in body && typeof body.model === 'string' ? body.model : '';

/** Listens when it resolves; rejects when it cannot. */
export const createSandbox = async (options: SandboxOptions = {}): Promise<Sandbox> => {
  const { host = '127.0.0.1', port: wantedPort = 0, delayMs = 400, acceptAnyKey = false } = options;
  const record = options.record ? createCallRecord(options.record) : null;
  const planReply = createReplyPlanner({ delayMs });
  const run = randomUUID().slice(0, 8);
  let served = 0;

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { url: path = '/', headers, method } = request;
    const found = wireAt(path);
    if (found === null || method !== 'POST') {
      response.writeHead(404).end();
      return;
    }
    const { wire, groups } = found;
    served += 1;
    const id = `req_sandbox_${run}_${served}`;
    const key = wire.keyOf(headers);
    const pathModel = decodeURIComponent(groups.model ?? '');
    let finish: (status: number, sent: Sent) => void = () => {};

    const decide = async (): Promise<Sendable> => {
      try {
        const body = await readBody(request);
        const model = pathModel || modelIn(body);
        const traceparent = String(headers.traceparent ?? '') || null;
        if (record) finish = record.start({ provider: wire.provider, key, path, model, body, traceparent });
        const known = key !== '' && (acceptAnyKey || isSample(wire.provider, key));
        if (!known) return sendable(wire.error({ kind: 'bad_key', key }, id));
        const ask = wire.readAsk(body, headers, pathModel);
        if (!acceptAnyKey) demandWhatIsReal(wire, ask);
        return planReply(wire, ask, headers, id);
      } catch (error) {
        if (error instanceof Refusal) return sendable(wire.error(error.trouble, id));
        throw error;
      }
    };
    const reply = await decide();
    finish(reply.status, await sendReply(response, reply));
  };

  const server = createServer((request, response) => {
    // What can still fail here is a request that broke off, or a bug: either way there is nobody to answer.
    serve(request, response).catch(() => response.destroy());
  });
  // Longer than any client keeps an idle connection, so that it is never closed under a request.
  server.keepAliveTimeout = 120_000;
  server.listen(wantedPort, host);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : wantedPort;
  const url = `http://${host}:${port}`;

  return {
    url,
    port,
    providerUrls: perProvider((provider) => url + sandboxPath(provider)),
    calls: record?.calls ?? [],
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};
