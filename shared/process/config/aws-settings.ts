/** What the AWS SDK reads on its own: where it finds credentials, and what would lead its calls elsewhere. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isInClear } from './outward-url.ts';

type Given = Readonly<Record<string, string | undefined>>;

/** Where the AWS SDK finds credentials without asking the network. */
const CREDENTIAL_VARIABLES = [
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'AWS_BEARER_TOKEN_BEDROCK',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
] as const;

/** The SDK merges both, and takes a `~/` for the home folder. */
const filesOf = (given: Given): string[] => {
  const home = given.HOME ?? homedir();
  return [
    given.AWS_SHARED_CREDENTIALS_FILE || join(home, '.aws', 'credentials'),
    given.AWS_CONFIG_FILE || join(home, '.aws', 'config'),
  ].map((path) => (path.startsWith('~/') ? join(home, path.slice(2)) : path));
};

/** Whether the AWS SDK finds credentials here without asking the network. */
export const findsAwsCredentials = (environment: Given): boolean =>
  CREDENTIAL_VARIABLES.some((name) => environment[name]) || filesOf(environment).some((path) => existsSync(path));

/** For one service, or for all: a service's variable is named after it, so there are as many as AWS has services. */
export const isAwsEndpointVariable = (name: string): boolean => name.startsWith('AWS_ENDPOINT_URL');

/**
 * Those of containers and instances, which answer over plain HTTP and no further than their own host: ECS
 * (https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html) and EC2
 * (https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html).
 */
const METADATA_HOSTS: ReadonlySet<string> = new Set([
  '169.254.170.2',
  '169.254.170.23',
  '[fd00:ec2::23]',
  '169.254.169.254',
  '[fd00:ec2::254]',
]);

const leadsAstray = (text: string): boolean => {
  const url = URL.parse(text);
  if (url === null) return true;
  return !/^https?:$/.test(url.protocol) || (isInClear(text) && !METADATA_HOSTS.has(url.hostname));
};

const CREDENTIAL_ENDPOINTS = ['AWS_CONTAINER_CREDENTIALS_FULL_URI', 'AWS_EC2_METADATA_SERVICE_ENDPOINT'] as const;

const SETTING = /^[ \t]*(endpoint_url|ec2_metadata_service_endpoint)[ \t]*=[ \t]*(\S+)/gm;

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The SDK goes on without it too.
    return '';
  }
};

/** What in the variables and files of the SDK would have credentials cross a network in clear, or send calls elsewhere. */
export const awsEndpointProblems = (given: Given): string[] => [
  ...CREDENTIAL_ENDPOINTS.filter((name) => given[name] && leadsAstray(given[name])).map(
    (name) =>
      `${name} must be https:// in production: the platform’s credentials cross it. Only this machine’s own addresses, and AWS’s for containers and instances, may be http://.`,
  ),
  ...filesOf(given).flatMap((path) =>
    [...read(path).matchAll(SETTING)].flatMap(([, name, value = '']) =>
      name === 'endpoint_url' || leadsAstray(value)
        ? [
            `${path} must not hold ${name}${name === 'endpoint_url' ? '' : ' with this address'} in production: the AWS SDK would have sent every tenant’s calls or the platform’s credentials there. Remove it; PROVIDER_BEDROCK_URL and KMS_URL name other endpoints.`,
          ]
        : [],
    ),
  ),
];

/**
 * Has the SDK pass over `endpoint_url` in its files, outside production too
 * (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
 */
export const IGNORE_CONFIGURED_ENDPOINTS = { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' } as const;
