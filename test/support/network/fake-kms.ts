/** A small AWS KMS on a real socket: GenerateDataKey and Decrypt with their encryption context, and whatever trouble a test wants. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { serve } from './listen.ts';

const KEY_ID = '1234abcd-12ab-34cd-56ef-1234567890ab';
const OTHER_KEY_ID = 'fedcba98-12ab-34cd-56ef-1234567890ab';

type Operation = 'GenerateDataKey' | 'Decrypt';
type Call = { operation: Operation; KeyId: string; EncryptionContext: Record<string, string>; signedBy: string };

/** What becomes of a call: an error by AWS's name of it, a wrong answer, none, or the right one after a while. */
type Trouble =
  | { error: string; status?: number; delayMs?: number }
  | { answer: unknown }
  | { text: string }
  | 'cut'
  | 'reset'
  | 'silence'
  | { delayMs: number };

export type FakeKms = {
  url: string;
  keyId: string;
  otherKeyId: string;
  calls: Call[];
  /** Asked before each call; null answers it as KMS does. */
  judge: (trouble: ((call: Call) => Trouble | null) | null) => void;
  close: () => Promise<void>;
};

export const startFakeKms = async (): Promise<FakeKms> => {
  const masters = new Map([KEY_ID, OTHER_KEY_ID].map((id) => [id, randomBytes(32)]));
  const calls: Call[] = [];
  let judge: (call: Call) => Trouble | null = () => null;

  const reply = (response: ServerResponse, status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
  const refuse = (response: ServerResponse, error: string, status = 400): void =>
    reply(response, status, { __type: error, message: `the fake says ${error}` });

  const answer = (response: ServerResponse, call: Call, body: { CiphertextBlob?: string }): void => {
    const master = masters.get(call.KeyId);
    if (!master) {
      refuse(response, 'NotFoundException');
      return;
    }
    const context = Buffer.from(JSON.stringify(call.EncryptionContext));
    if (call.operation === 'GenerateDataKey') {
      const plaintext = randomBytes(32);
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', master, nonce).setAAD(context);
      const wrapped = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
      reply(response, 200, {
        KeyId: call.KeyId,
        CiphertextBlob: wrapped.toString('base64'),
        Plaintext: plaintext.toString('base64'),
      });
      return;
    }
    const wrapped = Buffer.from(body.CiphertextBlob ?? '', 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', master, wrapped.subarray(0, 12), { authTagLength: 16 })
        .setAAD(context)
        .setAuthTag(wrapped.subarray(-16));
      const plaintext = Buffer.concat([decipher.update(wrapped.subarray(12, -16)), decipher.final()]);
      reply(response, 200, { KeyId: call.KeyId, Plaintext: plaintext.toString('base64') });
    } catch {
      refuse(response, 'InvalidCiphertextException');
    }
  };

  const closing = new AbortController();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    // The SDK is the only one that calls.
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Omit<Call, 'operation'> & { CiphertextBlob?: string };
    const operation = String(request.headers['x-amz-target']).split('.').at(-1) as Operation;
    // Scheme and access key id.
    const [, scheme, id] = /^(\S+) Credential=([^/]+)/.exec(request.headers.authorization ?? '') ?? [];
    const signedBy = `${scheme} ${id}`;
    const call = { operation, KeyId: body.KeyId, EncryptionContext: body.EncryptionContext, signedBy };
    calls.push(call);
    const trouble = judge(call);
    if (trouble === null) return answer(response, call, body);
    if (trouble === 'silence') return;
    if (trouble === 'reset') return void request.socket.resetAndDestroy();
    if (trouble === 'cut') {
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1', 'content-length': '400' });
      response.write('{"Plaintext":"');
      return void setImmediate(() => request.socket.destroy());
    }
    if ('answer' in trouble) return reply(response, 200, trouble.answer);
    if ('text' in trouble) return reply(response, 200, trouble.text);
    if (trouble.delayMs !== undefined) await delay(trouble.delayMs, null, { signal: closing.signal }).catch(() => {});
    if ('error' in trouble) return refuse(response, trouble.error, trouble.status);
    answer(response, call, body);
  };
  // A call that its client broke off leaves nothing to do.
  const server = createServer((request, response) => void handle(request, response).catch(() => request.destroy()));
  const { url, close } = await serve(server);
  return {
    url,
    keyId: KEY_ID,
    otherKeyId: OTHER_KEY_ID,
    calls,
    judge: (next) => {
      judge = next ?? (() => null);
    },
    close: async () => {
      closing.abort();
      await close();
    },
  };
};
