/** Sends what is drawn to a running gateway, and says what was wrong with the answers. */
import { connect } from 'node:net';
import fc from 'fast-check';
import { Pool } from 'undici';
import { OPERATIONS } from '../../api/interface.ts';
import { createDocument } from '../../api/operations/openapi/document.ts';
import { REQUEST_ERRORS } from '../../shared/domain/errors.ts';
import { createAnswerCheck } from '../support/clients/openapi.ts';
import type { TestGateway } from '../support/processes/gateway.ts';
import { createBytes } from './bytes.ts';
import { createRequests, drawSecret, type FuzzedRequest } from './requests.ts';

/** So many at once. */
const CONNECTIONS = 16;
/** Drawn at once, so that a long run takes no more memory than a short one. */
const CHUNK = 500;
/** Of each of these one is sent as bytes, the others as requests. */
const BYTES_IN = 5;
const ANSWER_LIMIT_MS = 20_000;

export type FuzzOutcome = {
  sent: number;
  answers: Map<string, number>;
  /** Each with what was sent, so that it can be sent again. */
  findings: string[];
};

/**
 * The gateway needs ADMIN_TOKEN and no limits. With `isRedisAway` what needs Redis must say so, as soon as ever; without, no 5xx is right.
 * The seed draws the same requests again, but for the ids that answers name.
 */
/** Calls of tenants that say what this process knows by itself. */
const ASKS_NO_REDIS = /\/v1\/models/;

export const runFuzz = async (
  gateway: Pick<TestGateway, 'apis'>,
  {
    requests,
    seed,
    isRedisAway = false,
    say = () => {},
  }: { requests: number; seed: number; isRedisAway?: boolean; say?: (text: string) => void },
): Promise<FuzzOutcome> => {
  const url = gateway.apis[0]?.url ?? '';
  const document = createDocument(OPERATIONS, () => true);
  const check = createAnswerCheck(document);
  const needsKey = (call: string): boolean => {
    const [method = '', path = ''] = call.split(' ');
    return (document.paths[path]?.[method.toLowerCase()]?.security.length ?? 0) > 0;
  };
  const pool = new Pool(url, {
    connections: CONNECTIONS,
    headersTimeout: ANSWER_LIMIT_MS,
    bodyTimeout: ANSWER_LIMIT_MS,
  });
  const outcome: FuzzOutcome = { sent: 0, answers: new Map(), findings: [] };
  const count = (what: string): void => void outcome.answers.set(what, (outcome.answers.get(what) ?? 0) + 1);
  const blame = (what: string, sent: unknown): void =>
    void outcome.findings.push(`${what}\n  after ${JSON.stringify(sent)?.slice(0, 2_000)}`);

  /** Ids that answers named, the newest last. */
  const ids: string[] = [];
  const collect = (text: string): void => {
    for (const [, id = ''] of text.matchAll(/"id":"([a-z]+_[^"]{1,60})"/g)) ids.push(id);
    if (ids.length > 1_000) ids.splice(0, 500);
  };
  const idOf = (id: number | string | undefined): string =>
    encodeURIComponent(typeof id === 'number' ? (ids[id % Math.max(ids.length, 1)] ?? 'job_0') : (id ?? 'job_0'));

  const sendRequest = async (request: FuzzedRequest): Promise<void> => {
    const { method, headers, query, body, secret } = request;
    const names = [...request.ids];
    const path = request.path.replace(/\{\w+\}/g, () => idOf(names.shift()));
    // An id of dots makes it another path (RFC 3986, 5.2.4).
    const call = /\/\.\.?(\/|$)/.test(path) ? null : request.call;
    const answer = await pool.request({
      // A cast because undici lists fewer methods than there are.
      method: method as 'GET',
      path: query === '' ? path : `${path}?${query}`,
      headers,
      body,
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    const text = await answer.body.text();
    const { statusCode: status } = answer;
    count(String(status));
    collect(text);
    const received = new Headers(
      Object.entries(answer.headers).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, String(value)] as [string, string]],
      ),
    );
    const isExcused = isRedisAway && (status === 503 || status === 529) && (method === 'HEAD' || saysRedisIsAway(text));
    if (status >= 500 && !isExcused) blame(`${status}: ${text}`, request);
    const shown = `${JSON.stringify(answer.headers)}${text}`;
    if (holds(shown, secret)) blame(`a secret came back: ${shown.slice(0, 500)}`, request);
    const isJson = received.get('content-type') === 'application/json';
    const wrong =
      call === null
        ? null
        : check(call, { status, headers: received, body: isJson && text !== '' ? JSON.parse(text) : null });
    if (wrong !== null) blame(wrong, request);
    if (isRedisAway && status < 400 && call !== null && needsKey(call) && !ASKS_NO_REDIS.test(call))
      blame(`${status} without Redis: ${text}`, request);
  };

  const requestArbitrary = createRequests(document);
  const bytesArbitrary = createBytes(drawSecret);
  for (let chunk = 0; outcome.sent < requests; chunk++) {
    const size = Math.min(CHUNK, requests - outcome.sent);
    const drawn = fc.sample(requestArbitrary, { seed: seed + chunk, numRuns: size - Math.floor(size / BYTES_IN) });
    const noise = fc.sample(bytesArbitrary, { seed: seed + chunk, numRuns: Math.floor(size / BYTES_IN) });
    const tasks = [
      ...drawn.map(
        (request) => () => sendRequest(request).catch((error: Error) => blame(`no answer: ${error.message}`, request)),
      ),
      ...noise.map(({ bytes, secret }) => async () => {
        const answer = await sendBytes(url, bytes);
        const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1];
        count(status === undefined ? 'none to bytes' : `${status} to bytes`);
        const wrong = judgeBytes(answer, secret, isRedisAway);
        if (wrong !== null) blame(wrong, bytes.toString('latin1'));
      }),
    ];
    await inLanes(tasks);
    outcome.sent += size;
    if (chunk % 20 === 19) say(`${outcome.sent} sent, ${outcome.findings.length} findings`);
  }
  await pool.close();
  return outcome;
};

const inLanes = async (tasks: (() => Promise<void>)[]): Promise<void> => {
  const lane = async (): Promise<void> => {
    for (let task = tasks.pop(); task; task = tasks.pop()) await task();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, lane));
};

const saysRedisIsAway = (text: string): boolean => text.includes('"code":"queue_unavailable"');

/** Any 8 characters of it. */
const holds = (text: string, secret: string): boolean => {
  for (let at = 0; at + 8 <= secret.length; at++) if (text.includes(secret.slice(at, at + 8))) return true;
  return false;
};

/** Sends the bytes and nothing after them; answers all that comes until the server lets go. */
const sendBytes = (url: string, bytes: Buffer): Promise<string> => {
  const { hostname, port } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<string>();
  let received = '';
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true }, () => socket.end(bytes));
  socket.setTimeout(ANSWER_LIMIT_MS, () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  socket.on('end', () => socket.destroy());
  // The server may cut a connection on which it understands nothing.
  socket.on('error', () => {});
  socket.on('close', () => resolve(received));
  return promise;
};

const CODES = new Set(Object.keys(REQUEST_ERRORS));

/** What is wrong with the answer to bytes; none at all is right where they were no whole request. */
const judgeBytes = (answer: string, secret: string, isRedisAway: boolean): string | null => {
  if (answer === '') return null;
  if (holds(answer, secret)) return `a secret came back: ${answer.slice(0, 500)}`;
  if (!/^HTTP\/1\.1 \d{3} /.test(answer)) return `no HTTP: ${answer.slice(0, 500)}`;
  const isExcused = isRedisAway && /^HTTP\/1\.1 503 /m.test(answer) && saysRedisIsAway(answer);
  if (/^HTTP\/1\.1 5/m.test(answer) && !isExcused) return `a 5xx: ${answer.slice(0, 500)}`;
  for (const [, code = ''] of answer.matchAll(/^\{"error":\{"type":"\w+","code":"(\w+)"/gm)) {
    if (!CODES.has(code)) return `an unknown code: ${code}`;
  }
  return null;
};
