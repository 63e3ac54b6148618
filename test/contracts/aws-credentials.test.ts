/** The platform's AWS credentials: looked for in vain, rotated and expired. The SDK's real chain, against servers that stand for AWS. */
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createBedrockAdapter } from '../../providers/bedrock/adapter.ts';
import type { ProviderAdapter } from '../../providers/call/provider.ts';
import type { Outcome } from '../../shared/domain/outcome.ts';
import { createKmsDataKeys } from '../../shared/keys/encryption/kms.ts';
import { createLog } from '../../shared/process/log.ts';
import { startFakeKms } from '../support/network/fake-kms.ts';
import { listen } from '../support/network/listen.ts';
import { json, type RawServer, startRawServer } from './raw-server.ts';
import { VENDORS } from './vendors.ts';

const folder = mkdtempSync(join(tmpdir(), 'aws-credentials-'));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const NOWHERE = join(folder, 'nowhere');

/** Everything that could lead the chain to credentials of this machine. */
const NO_CREDENTIALS = {
  AWS_PROFILE: undefined,
  AWS_ACCESS_KEY_ID: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_SESSION_TOKEN: undefined,
  AWS_WEB_IDENTITY_TOKEN_FILE: undefined,
  AWS_ROLE_ARN: undefined,
  AWS_CONTAINER_CREDENTIALS_FULL_URI: undefined,
  AWS_SHARED_CREDENTIALS_FILE: NOWHERE,
  AWS_CONFIG_FILE: NOWHERE,
  AWS_EC2_METADATA_DISABLED: 'true',
};
const stub = (variables: Record<string, string | undefined>): void => {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
};
beforeEach(() => stub(NO_CREDENTIALS));
afterEach(() => vi.unstubAllEnvs());

const bedrockAnswer = VENDORS.find(({ provider }) => provider === 'bedrock')?.answerBody('Hi.');
let answer: RequestListener;
let bedrock: RawServer;
let adapter: ProviderAdapter;
beforeAll(async () => {
  bedrock = await startRawServer((request, response) => answer(request, response));
});
beforeEach(() => {
  answer = json(200, bedrockAnswer);
  bedrock.received.length = 0;
  adapter = createBedrockAdapter({ baseUrl: bedrock.url, region: 'us-east-1', auth: { kind: 'default_chain' } });
});
afterEach(() => adapter.close());
afterAll(() => bedrock.close());

const ask = (): Promise<Outcome> =>
  adapter.complete({
    request: { model: 'model-1', messages: [{ role: 'user', content: 'Hello.' }] },
    userKey: null,
    traceparent: null,
    timeoutMs: 20_000,
    signal: new AbortController().signal,
  });

describe('what is thrown while the worker looks for credentials lets the job run again, and is not billed', () => {
  const tokenFile = file('token', 'a.web.token');
  const webIdentity = (sts: string, token = tokenFile) => ({
    AWS_WEB_IDENTITY_TOKEN_FILE: token,
    AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/gateway',
    AWS_ENDPOINT_URL_STS: sts,
  });
  const container = (url: string) => ({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/credentials` });
  const stsError =
    (status: number, code: string): RequestListener =>
    (_request, response) => {
      const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>No.</Message></Error>`;
      response.writeHead(status, { 'content-type': 'text/xml' }).end(`<ErrorResponse>${error}</ErrorResponse>`);
    };
  const html: RequestListener = (_request, response) => response.writeHead(200).end('<html>');

  type Lookup = [what: string, environment: (url: string) => Record<string, string>, answer: RequestListener];
  const ANSWERED: Lookup[] = [
    ...(
      [
        [503, 'ServiceUnavailable'],
        [500, 'InternalFailure'],
        [400, 'Throttling'],
        [400, 'IDPCommunicationError'],
        [400, 'ExpiredTokenException'],
        [400, 'InvalidIdentityToken'],
        [400, 'ValidationException'],
        [403, 'AccessDenied'],
        [403, 'AccessDeniedException'],
      ] as const
    ).map(([status, code]): Lookup => [`STS says ${status} ${code}`, webIdentity, stsError(status, code)]),
    ['STS answers with a page', webIdentity, html],
    ...[429].map((status): Lookup => [`the container says ${status}`, container, json(status, {})]),
    ['the container leaves everything out', container, json(200, {})],
    ['the container answers with a page', container, html],
  ];

  const expectRetried = async (): Promise<void> => {
    expect(await ask()).toEqual({
      kind: 'unavailable',
      code: 'platform_provider_error',
      billable: false,
      usage: null,
      providerRequestId: null,
      providerStatus: null,
      retryAfterMs: null,
    });
    expect(bedrock.received).toHaveLength(0);
  };

  test.each(ANSWERED)('%s', { timeout: 30_000 }, async (_, environment, how) => {
    const server = await startRawServer(how);
    stub(environment(server.url));
    await expectRetried();
    expect(server.received.length).toBeGreaterThan(0);
    await server.close();
  });

  test.each([
    ['STS', webIdentity],
    ['the container', container],
  ])('%s refuses or resets the connection', { timeout: 30_000 }, async (_, environment) => {
    const resetting = createServer((socket) => socket.destroy());
    stub(environment(`http://127.0.0.1:${await listen(resetting)}`));
    await expectRetried();
    resetting.close();
    await once(resetting, 'close');
    await expectRetried();
  });

  test.each([
    ['the token’s file is not there', webIdentity('http://127.0.0.1:9', NOWHERE)],
    ['there is no such profile', { AWS_PROFILE: 'none' }],
    ['a process fails', { AWS_CONFIG_FILE: file('fails', '[default]\ncredential_process = /bin/false\n') }],
    ['a process prints no JSON', { AWS_CONFIG_FILE: file('prints', '[default]\ncredential_process = /bin/echo no\n') }],
  ])('%s', async (_, environment) => {
    stub(environment);
    await expectRetried();
  });

  test('the next job finds them where they are by then', async () => {
    await expectRetried();
    stub({ AWS_ACCESS_KEY_ID: 'AKIAFOUND', AWS_SECRET_ACCESS_KEY: 'secret' });
    expect(await ask()).toMatchObject({ kind: 'completed' });
  });
});

describe('rotated in the file while the worker runs', () => {
  const rotate = (id: string) =>
    stub({
      AWS_SHARED_CREDENTIALS_FILE: file(
        'credentials',
        `[default]\naws_access_key_id=${id}\naws_secret_access_key=secret\n`,
      ),
    });
  const idIn = (authorization = ''): string => /Credential=(\w+)/.exec(authorization)?.[1] ?? '';

  test.each([
    [403, 'UnrecognizedClientException', 'The security token included in the request is invalid.'],
    [403, 'InvalidClientTokenId', 'No such key.'],
    [403, 'InvalidSignatureException', 'The signature does not match.'],
    [403, 'SignatureDoesNotMatch', 'The signature does not match.'],
    [403, 'ExpiredTokenException', 'It is expired.'],
    [400, 'ExpiredToken', 'It is expired.'],
    [400, 'ValidationException', 'The security token included in the request is expired'],
  ])('after a %i %s the key is read anew, and the job runs again with it', async (status, name, message) => {
    rotate('AKIAOLD');
    answer = (request, response) =>
      idIn(request.headers.authorization) === 'AKIAOLD'
        ? json(status, { message }, { 'x-amzn-errortype': name })(request, response)
        : json(200, bedrockAnswer)(request, response);
    expect(await ask()).toMatchObject({ kind: 'unavailable', code: 'platform_provider_error', billable: false });
    rotate('AKIANEW');
    expect(await ask()).toMatchObject({ kind: 'completed' });
    expect(bedrock.received.map(({ headers }) => idIn(headers.authorization))).toEqual(['AKIAOLD', 'AKIANEW']);
  });

  test('a key that is good is looked up once', async () => {
    rotate('AKIAOLD');
    await ask();
    rotate('AKIANEW');
    await ask();
    expect(bedrock.received.map(({ headers }) => idIn(headers.authorization))).toEqual(['AKIAOLD', 'AKIAOLD']);
  });

  test('KMS is asked again with the new key', async () => {
    const kms = await startFakeKms();
    kms.judge(() => ({ error: 'UnrecognizedClientException' }));
    const log = createLog({ level: 'silent', process: 'test' });
    const settings = { keyIds: [kms.keyId] as [string], region: 'us-east-1', url: kms.url };
    rotate('AKIAOLD');
    const dataKeys = createKmsDataKeys({ ...settings, elapsed: () => performance.now(), log });
    await expect(dataKeys.issue()).rejects.toThrow();
    rotate('AKIANEW');
    kms.judge(null);
    await dataKeys.issue();
    expect(kms.calls.map(({ signedBy }) => signedBy.split(' ')[1])).toEqual(['AKIAOLD', 'AKIANEW']);
    dataKeys.close();
    await kms.close();
  });
});
