/** Where the AWS SDK may be led: by variables, and by files that it reads on its own. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BedrockRuntimeClient, ConverseCommand } from '@aws-sdk/client-bedrock-runtime';
import { KMSClient, ListKeysCommand } from '@aws-sdk/client-kms';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import {
  awsEndpointProblems,
  IGNORE_CONFIGURED_ENDPOINTS,
  isAwsEndpointVariable,
} from '../../../shared/process/config/aws-settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'gateway-aws-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

let written = 0;
/** A home of its own for each: the SDK keeps what it has read. */
const homeWith = (file: 'config' | 'credentials', text: string): string => {
  const home = join(folder, `${written++}`);
  mkdirSync(join(home, '.aws'), { recursive: true });
  writeFileSync(join(home, '.aws', file), text);
  return home;
};
const empty = homeWith('config', '[default]\nregion = us-east-1\n');

/** What the SDK's own sources read that has to do with a place. */
const sources = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => /dist-cjs\/.*\.js$/.test(name))
    .map((name) => readFileSync(join(dir, name), 'utf8'));
const read = new Set(
  ['@aws-sdk', '@smithy'].flatMap((scope) =>
    sources(join(import.meta.dirname, '../../../node_modules', scope)).flatMap(
      (text) => text.match(/\bAWS_[A-Z0-9_]*(?:URL|URI|ENDPOINT)[A-Z0-9_]*\b/g) ?? [],
    ),
  ),
);

test('every variable of the SDK that names a place is judged, or is known to hold no host', () => {
  const noHost = [
    // A path at a fixed address, switches and modes.
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
    'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS',
    'AWS_USE_FIPS_ENDPOINT',
    'AWS_USE_DUALSTACK_ENDPOINT',
    'AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE',
    'AWS_ACCOUNT_ID_ENDPOINT_MODE',
  ];
  expect([...read]).toEqual(expect.arrayContaining(['AWS_ENDPOINT_URL', ...noHost]));
  for (const name of [...read].filter((each) => !noHost.includes(each))) {
    const isRefused =
      isAwsEndpointVariable(name) ||
      awsEndpointProblems({ HOME: empty, [name]: 'http://192.0.2.1/' }).some((text) => text.startsWith(name));
    expect(isRefused, name).toBe(true);
  }
});

describe.each(['AWS_CONTAINER_CREDENTIALS_FULL_URI', 'AWS_EC2_METADATA_SERVICE_ENDPOINT'])('%s', (name) => {
  test.each([
    'http://192.0.2.1/creds',
    'http://metadata.internal',
    'http://169.254.170.2.evil.example',
    'http://169.254.170.2@evil.example',
    'ftp://127.0.0.1',
    'metadata.internal',
  ])('does not lead over a network in clear: %s', (value) => {
    expect(awsEndpointProblems({ HOME: empty, [name]: value })).toEqual([
      expect.stringMatching(new RegExp(`^${name} must be https:// in production: `)),
    ]);
  });
  test.each([
    'https://creds.internal/role',
    'http://127.0.0.1:9911/creds',
    'http://localhost:51679',
    'http://169.254.170.2/v2/credentials',
    'http://169.254.170.23/v1/credentials',
    'http://[fd00:ec2::23]/v1/credentials',
    'http://169.254.169.254',
    'http://[fd00:ec2::254]',
  ])('may be %s', (value) => {
    expect(awsEndpointProblems({ HOME: empty, [name]: value })).toEqual([]);
  });
});

describe('a file of the SDK', () => {
  const rows: [what: string, file: 'config' | 'credentials', text: string, name: string][] = [
    ['of its profile', 'config', '[default]\nendpoint_url = http://192.0.2.1\n', 'endpoint_url'],
    ['of another profile', 'config', '[profile a]\n endpoint_url=https://vpce.example\n', 'endpoint_url'],
    ['of a service', 'config', '[services s]\nsts =\n  endpoint_url = http://192.0.2.1\n', 'endpoint_url'],
    ['in the other file', 'credentials', '[default]\r\nendpoint_url = http://192.0.2.1\r\n', 'endpoint_url'],
    [
      'of the metadata',
      'config',
      '[default]\nec2_metadata_service_endpoint = http://192.0.2.1\n',
      'ec2_metadata_service_endpoint',
    ],
  ];
  test.each(rows)('names no endpoint %s', (_, file, text, name) => {
    const HOME = homeWith(file, text);
    const problem = expect.stringMatching(new RegExp(`^${HOME}/\\.aws/${file} must not hold ${name}`));
    expect(awsEndpointProblems({ HOME })).toEqual([problem]);
    const path = join(HOME, '.aws', file);
    const variable = file === 'config' ? 'AWS_CONFIG_FILE' : 'AWS_SHARED_CREDENTIALS_FILE';
    expect(awsEndpointProblems({ HOME: empty, [variable]: path })).toEqual([problem]);
    expect(awsEndpointProblems({ HOME, [variable]: `~/.aws/${file}` })).toEqual([problem]);
  });
  test('may hold comments, other settings and the address of AWS', () => {
    const text =
      '[default]\n# endpoint_url = http://192.0.2.1\nregion = us-east-1\nrole_arn = arn:aws:iam::1:role/x\nec2_metadata_service_endpoint = http://169.254.169.254\n';
    expect(awsEndpointProblems({ HOME: homeWith('config', text) })).toEqual([]);
    expect(awsEndpointProblems({ HOME: join(folder, 'absent') })).toEqual([]);
  });
});

test('the SDK passes over the endpoints in its files with what every process sets, whatever was set before', async () => {
  const hostOf = async (service: 'kms' | 'bedrock'): Promise<string> => {
    let host = '';
    const requestHandler = {
      handle: async ({ hostname }: { hostname: string }) => {
        host = hostname;
        throw new Error('nothing is sent');
      },
    };
    const settings = {
      region: 'us-east-1',
      credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
      maxAttempts: 1,
      requestHandler,
    };
    const sent =
      service === 'kms'
        ? new KMSClient(settings).send(new ListKeysCommand({}))
        : new BedrockRuntimeClient(settings).send(new ConverseCommand({ modelId: 'm', messages: [] }));
    await expect(sent).rejects.toThrow('nothing is sent');
    return host;
  };
  vi.stubEnv('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS', 'false');
  vi.stubEnv('HOME', empty);
  vi.stubEnv(
    'AWS_CONFIG_FILE',
    join(homeWith('config', '[default]\nendpoint_url = http://192.0.2.1\n'), '.aws/config'),
  );
  expect(await hostOf('kms')).toBe('192.0.2.1');
  for (const [name, value] of Object.entries(IGNORE_CONFIGURED_ENDPOINTS)) vi.stubEnv(name, value);
  expect(await hostOf('kms')).toBe('kms.us-east-1.amazonaws.com');
  expect(await hostOf('bedrock')).toBe('bedrock-runtime.us-east-1.amazonaws.com');
});
