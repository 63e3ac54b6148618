import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from '../../../shared/process/config/config.ts';
import { VARIABLE_NAMES } from '../../../shared/process/config/variables.ts';

const folder = mkdtempSync(join(tmpdir(), 'gateway-misspelt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const misspelt = (environment: NodeJS.ProcessEnv) =>
  loadConfig({ ...environment, HOME: folder, DATA_DIR: join(folder, 'data') }).misspelt;

test.each([
  ['RATE_LIMIT_RMP', 'RATE_LIMIT_RPM'],
  ['RATE_LIMT_TPM', 'RATE_LIMIT_TPM'],
  ['REDIS_URI', 'REDIS_URL'],
  ['redis_url', 'REDIS_URL'],
  ['MAX_ATTEMPT', 'MAX_ATTEMPTS'],
  ['JOB_TIMEOUT', 'JOB_TIMEOUT_SECONDS'],
  ['JOB_TIMEOUT_MS', 'JOB_TIMEOUT_SECONDS'],
  ['MONTHLY_BUDGET', 'MONTHLY_BUDGET_USD'],
  ['MAX_QUEUED_BATCH', 'MAX_BATCH_QUEUED'],
  ['LOGLEVEL', 'LOG_LEVEL'],
  ['DRAIN_SECS', 'DRAIN_SECONDS'],
  ['DRAIN', 'DRAIN_SECONDS'],
  ['DRAIN_TIMEOUT', 'DRAIN_SECONDS'],
  ['IDLE_MS', 'IDLE_SECONDS'],
  ['WEBHOOK_RETRY', 'WEBHOOK_RETRY_SCHEDULE_SECONDS'],
  ['SANDBOX_DELAY', 'SANDBOX_DELAY_MS'],
  ['ADMIN_TOKEN_FILE', 'ADMIN_TOKEN'],
  ['KEY_PEPPERS_FILE', 'KEY_PEPPERS'],
])('%s, which nothing reads, is named at start together with %s', (variable, meant) => {
  expect(misspelt({ [variable]: '5' })).toEqual([{ variable, meant: [meant] }]);
});

test('two that are equally close are both named', () => {
  expect(misspelt({ RATE_LIMIT_PM: '5' })).toEqual([
    { variable: 'RATE_LIMIT_PM', meant: ['RATE_LIMIT_RPM', 'RATE_LIMIT_TPM'] },
  ]);
  expect(misspelt({ WEBHOOK_RETRIES: '5' })).toEqual([
    { variable: 'WEBHOOK_RETRIES', meant: ['WEBHOOK_ALLOW_PRIVATE', 'WEBHOOK_RETRY_SCHEDULE_SECONDS'] },
  ]);
});

test('every variable with two neighbouring letters swapped, one left out or one doubled is named with the right one', () => {
  const long = VARIABLE_NAMES.filter((name) => name.length >= 8);
  for (const meant of long) {
    for (let at = 0; at < meant.length - 1; at++) {
      const swapped = meant.slice(0, at) + meant.charAt(at + 1) + meant.charAt(at) + meant.slice(at + 2);
      const variants = [swapped, meant.slice(0, at) + meant.slice(at + 1), meant.slice(0, at + 1) + meant.slice(at)];
      for (const variable of variants) {
        if (VARIABLE_NAMES.includes(variable) || /^(AWS|NODE|OTEL)_/.test(meant)) continue;
        expect(misspelt({ [variable]: '5' }), variable).toEqual([{ variable, meant: expect.arrayContaining([meant]) }]);
      }
    }
  }
});

test('every variable with another unit, without its unit or without its last words is named', () => {
  const units = ['SECONDS', 'SECS', 'SEC', 'MS', 'MINUTES', 'BYTES', 'MB', 'USD'];
  for (const meant of VARIABLE_NAMES.filter((name) => !/^(AWS|NODE|OTEL)_/.test(name))) {
    const words = meant.split('_');
    const ending = words.at(-1) ?? '';
    const variants = [
      ...(units.includes(ending) ? [words.slice(0, -1), ...units.map((unit) => [...words.slice(0, -1), unit])] : []),
      ...(words.length > 2 ? [words.slice(0, 2)] : []),
      ...(words.length > 1 ? [[...words, 'FILE']] : []),
    ].map((variant) => variant.join('_'));
    for (const variable of variants.filter((name) => !VARIABLE_NAMES.includes(name))) {
      expect(misspelt({ [variable]: '5' }), variable).toEqual([{ variable, meant: expect.any(Array) }]);
    }
  }
});

test('what a shell, npm, Compose, Kubernetes and the AWS SDK set is named nowhere', () => {
  const theirs =
    'PATH HOME HOSTNAME USER LANG TERM PWD SHLVL TZ CI NODE_OPTIONS NODE_EXTRA_CA_CERTS npm_config_cache npm_package_name';
  const platforms =
    'REDIS_IMAGE PUBLISH_ADDRESS NODE_IMAGE BUILD_NETWORK SANDBOX_DELAY_MS SANDBOX_HOST SANDBOX_PORT REDIS_PORT REDIS_SERVICE_HOST KUBERNETES_PORT POD_NAME';
  // Services and containers that are called as some of ours begin, and what usual images and systems set.
  const neighbours =
    'ADMIN_SERVICE_HOST ADMIN_SERVICE_PORT ADMIN_PORT_80_TCP ADMIN_PORT_80_TCP_ADDR WEBHOOK_SERVICE_PORT_HTTP SANDBOX_PORT_4010_TCP_PROTO';
  const usual =
    'LOGNAME MAIL EDITOR PAGER DISPLAY HISTSIZE OLDPWD LC_ALL SSH_AUTH_SOCK XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS YARN_VERSION INVOCATION_ID JOURNAL_STREAM MAINPID NOTIFY_SOCKET LISTEN_FDS POD_IP POD_NAMESPACE NODE_NAME HOST_IP REDIS_HOST REDIS_DB DATABASE_URL SENTRY_DSN GIT_SHA DEBIAN_FRONTEND MAX_OLD_SPACE_SIZE PORT_HTTP LOG_FORMAT LOG_FILE DATA_PATH ADMIN_EMAIL TRUSTED_HOSTS';
  const aws = 'AWS_DEFAULT_REGION AWS_ROLE_ARN AWS_CONFIG_FILE';
  const names = `${theirs} ${platforms} ${neighbours} ${usual} ${aws}`.split(' ');
  expect(misspelt(Object.fromEntries(names.map((name) => [name, 'x'])))).toEqual([]);
  expect(misspelt(Object.fromEntries(VARIABLE_NAMES.map((name) => [name, ''])))).toEqual([]);
});
