import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { checkWebhookUrl } from '../../../shared/domain/webhooks/webhook-url.ts';
import { drawWebhookSecret } from '../../../shared/keys/signing/sign.ts';
import { createLog } from '../../../shared/process/log.ts';
import { createNetwork, type Network } from '../../../worker/deliveries/network.ts';
import { createSendWebhook, DELIVERY_LIMITS } from '../../../worker/deliveries/send-webhook.ts';
import { makeCertificate } from '../../support/network/certificate.ts';
import { listen } from '../../support/network/listen.ts';
import { until } from '../../support/until.ts';
import { createInternet, HOST, PUBLIC_V4, PUBLIC_V6, URL_OF_HOST } from './internet.ts';
import { REFUSED_ANSWERS, REFUSED_URLS } from './ssrf-table.ts';

const internet = createInternet();
const silentLog = createLog({ level: 'silent', process: 'test' });
const limits = { ...DELIVERY_LIMITS, connectMs: 400, exchangeMs: 800 };

const send = (url: string, network: Network, { allowPrivate = false } = {}) =>
  createSendWebhook({ allowPrivate, network, now: Date.now, log: silentLog, limits })({
    url,
    id: 'msg_1',
    timestampSeconds: 1_790_000_000,
    body: '{}',
    secrets: [drawWebhookSecret()],
    traceparent: null,
    signal: new AbortController().signal,
  });
const refused = expect.objectContaining({ kind: 'failed', code: 'address_refused', status: null });
/** As where a name has no address: which names lead to others than public ones is not for tenants to learn. */
const unresolved = expect.objectContaining({ kind: 'failed', code: 'dns_failed', status: null });
const delivered = expect.objectContaining({ kind: 'delivered', status: 200 });

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('no connection is made to', () => {
  test.each(REFUSED_URLS)('%j', async (url) => {
    const endpoint = await internet.serve((_request, response) => response.end());
    const outcome = await send(url, internet.networkTo({ [PUBLIC_V4]: endpoint }));
    expect(outcome).toEqual(refused);
    expect(checkWebhookUrl(url, { allowPrivate: false })).toMatch(/^The webhook URL .+\.$/);
    internet.expectUntouched();
  });

  test.each(REFUSED_ANSWERS.map((answers) => ({ answers })))('a name that leads to $answers', async ({ answers }) => {
    const endpoint = await internet.serve((_request, response) => response.end());
    const servers = { [PUBLIC_V4]: endpoint, [PUBLIC_V6]: endpoint };
    expect(await send(URL_OF_HOST, internet.networkTo(servers, answers))).toEqual(unresolved);
    expect(checkWebhookUrl(URL_OF_HOST, { allowPrivate: false })).toBeNull();
    internet.expectUntouched();
  });
});

test('the table holds at least 80 addresses and tricks, each once', () => {
  expect(new Set(REFUSED_URLS).size).toBe(REFUSED_URLS.length);
  expect(REFUSED_URLS.length).toBeGreaterThanOrEqual(80);
});

describe('what is public is reached:', () => {
  test.each([
    `https://${HOST}`,
    `https://${HOST}:443/a/b?c=d#e`,
    `https://${HOST}./`,
    `HTTPS://HOOKS.EXAMPLE.COM/`,
    `https:${HOST}`,
    `https://${PUBLIC_V4}/`,
    'https://1572395042/',
  ])('%s', async (url) => {
    const hosts: unknown[] = [];
    const endpoint = await internet.serve((request, response) => {
      // The server speaks TLS.
      hosts.push([request.headers.host, (request.socket as TLSSocket).servername]);
      response.end();
    });
    expect(checkWebhookUrl(url, { allowPrivate: false })).toBeNull();
    expect(await send(url, internet.networkTo({ [PUBLIC_V4]: endpoint }))).toEqual(delivered);
    const { host } = new URL(url);
    // A name is told in TLS without its final dot, an address not at all (RFC 6066).
    expect(hosts).toEqual([[host, host === PUBLIC_V4 ? false : HOST]]);
    expect(internet.dialled).toMatchObject([{ address: PUBLIC_V4, port: 443 }]);
  });
});

test('a name that flips between public and private addresses never leads to a private one', async () => {
  const endpoint = await internet.serve((_request, response) => response.end());
  let questions = 0;
  const flipping = internet.networkTo({ [PUBLIC_V4]: endpoint }, () => [
    questions++ % 2 === 0 ? PUBLIC_V4 : '127.0.0.1',
  ]);
  const kinds = [];
  for (let round = 0; round < 20; round++) kinds.push((await send(URL_OF_HOST, flipping)).kind);
  expect(kinds).toEqual(Array.from({ length: 20 }, (_, round) => (round % 2 === 0 ? 'delivered' : 'failed')));
  // Asked once for each attempt: there is no second answer that could differ from the judged one.
  expect(questions).toBe(20);
  expect(endpoint.connections()).toBe(10);
  expect(internet.forbiddenConnections()).toBe(0);
});

test('a connection that ends up elsewhere than at the judged address is given up before anything is sent on it', async () => {
  let bytes = 0;
  let ended = false;
  const elsewhere = await internet.serveTcp((socket) => {
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    socket.on('close', () => {
      ended = true;
    });
  });
  const sockets: Socket[] = [];
  const misled: Network = {
    ...internet.networkTo({}),
    dial: () => {
      const socket = connect(elsewhere.port, '127.0.0.1');
      sockets.push(socket);
      return socket;
    },
  };
  expect(await send(URL_OF_HOST, misled)).toEqual(refused);
  expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true]);
  await until('the other side has seen the end', () => ended);
  expect(bytes).toBe(0);
});

test('an address counts as the judged one in whatever spelling the system gives it back', async () => {
  const endpoint = await internet.serve((_request, response) => response.end());
  const network = internet.networkTo({ [PUBLIC_V6]: endpoint }, [PUBLIC_V6]);
  const spelling: Network = { ...network, resolve: async () => ['2606:2800:0220:0001:0248:1893:25C8:1946'] };
  const lower: Network = { ...spelling, dial: (_address, port) => network.dial(PUBLIC_V6, port) };
  expect(await send(URL_OF_HOST, lower)).toEqual(delivered);
});

describe('a redirect is not followed:', () => {
  const targets = ['http://127.0.0.1:PORT/', 'https://127.0.0.1/', 'http://169.254.169.254/', `https://${HOST}/again`];
  const rows = [301, 302, 303, 307, 308].flatMap((status) => targets.map((target) => ({ status, target })));
  test.each(rows)('$status to $target', async ({ status, target }) => {
    let requests = 0;
    const endpoint = await internet.serve((_request, response) => {
      requests++;
      response.writeHead(status, { location: target.replace('PORT', String(internet.forbiddenPort())) }).end();
    });
    const outcome = await send(URL_OF_HOST, internet.networkTo({ [PUBLIC_V4]: endpoint }));
    expect(outcome).toMatchObject({ kind: 'failed', code: 'redirect', status });
    expect(requests).toBe(1);
    expect(internet.forbiddenConnections()).toBe(0);
  });

  test.each([300, 304, 305, 306])('%i is none to follow, and a failure as well', async (status) => {
    const endpoint = await internet.serve((_request, response) => response.writeHead(status).end());
    const outcome = await send(URL_OF_HOST, internet.networkTo({ [PUBLIC_V4]: endpoint }));
    expect(outcome).toMatchObject({ kind: 'failed', code: 'redirect', status });
  });
});

describe('the environment does not matter:', () => {
  test('a proxy in it is not used', async () => {
    const endpoint = await internet.serve((_request, response) => response.end());
    for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'])
      vi.stubEnv(name, `http://127.0.0.1:${internet.forbiddenPort()}`);
    vi.stubEnv('NODE_USE_ENV_PROXY', '1');
    expect(await send(URL_OF_HOST, internet.networkTo({ [PUBLIC_V4]: endpoint }))).toEqual(delivered);
    expect(internet.forbiddenConnections()).toBe(0);
  });

  test('certificates are checked even where NODE_TLS_REJECT_UNAUTHORIZED says no', async () => {
    let requests = 0;
    const endpoint = await internet.serve(
      (_request, response) => {
        requests++;
        response.end();
      },
      makeCertificate([HOST]),
    );
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    const outcome = await send(URL_OF_HOST, internet.networkTo({ [PUBLIC_V4]: endpoint }));
    expect(outcome).toMatchObject({ kind: 'failed', code: 'tls_failed' });
    expect(requests).toBe(0);
  });
});

describe('a certificate is taken only', () => {
  const outcomeWith = async (certificate: ReturnType<typeof makeCertificate>, url = URL_OF_HOST) => {
    let requests = 0;
    const endpoint = await internet.serve((_request, response) => {
      requests++;
      response.end();
    }, certificate);
    const network = { ...internet.networkTo({ [PUBLIC_V4]: endpoint }), trust: certificate.cert };
    return { outcome: await send(url, network), requests };
  };
  const untaken = { outcome: { kind: 'failed', code: 'tls_failed' }, requests: 0 };

  test('for the name in the URL', async () => {
    expect(await outcomeWith(makeCertificate([HOST]))).toMatchObject({ outcome: { kind: 'delivered' }, requests: 1 });
    expect(await outcomeWith(makeCertificate(['other.example.com']))).toMatchObject(untaken);
    expect(await outcomeWith(makeCertificate([PUBLIC_V4]))).toMatchObject(untaken);
  });

  test('for the address in the URL', async () => {
    expect(await outcomeWith(makeCertificate([HOST]), `https://${PUBLIC_V4}/`)).toMatchObject(untaken);
  });

  test('while it is valid', async () => {
    expect(await outcomeWith(makeCertificate([HOST], Date.now() - 3 * 86_400_000))).toMatchObject(untaken);
    expect(await outcomeWith(makeCertificate([HOST], Date.now() + 86_400_000))).toMatchObject(untaken);
  });
});

describe('for development, allowPrivate', () => {
  const development = createNetwork({ allowPrivate: true });
  const sendPrivately = (url: string, network = development) => send(url, network, { allowPrivate: true });

  test.each(['127.0.0.1', 'localhost'])('opens http, any port, and %s', async (host) => {
    const server = createServer((_request, response) => response.end());
    const port = await listen(server);
    expect(checkWebhookUrl(`http://${host}:${port}/`, { allowPrivate: true })).toBeNull();
    expect(await sendPrivately(`http://${host}:${port}/`)).toEqual(delivered);
    await new Promise((resolve) => server.close(resolve));
  });

  test.each(['10.0.0.1', '172.16.0.1', '192.168.0.1', 'fd00::1', '::1'])('opens %s', async (address) => {
    const endpoint = await internet.serve((_request, response) => response.end());
    expect(
      await sendPrivately(`https://${HOST}:8443/`, internet.networkTo({ [address]: endpoint }, [address])),
    ).toEqual(delivered);
    expect(internet.dialled).toMatchObject([{ address, port: 8443 }]);
  });

  test.each([
    'http://169.254.169.254/',
    'http://[fe80::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://0.0.0.0/',
    'http://224.0.0.1/',
    'http://user:word@127.0.0.1/',
    'ftp://127.0.0.1/',
    'file:///etc/passwd',
  ])('opens nothing else: %s', async (url) => {
    expect(await sendPrivately(url, internet.networkTo({}))).toEqual(refused);
    expect(checkWebhookUrl(url, { allowPrivate: true })).not.toBeNull();
    internet.expectUntouched();
  });
});
