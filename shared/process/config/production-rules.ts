/** What a gateway may not be started with in production, or on real providers for others. Each problem names the change. */
import { z } from 'zod';
import { manifestOf, PROVIDERS, urlVariable } from '../../../providers/catalogue.ts';
import type { CredentialKind } from '../../domain/completion.ts';
import { awsEndpointProblems } from './aws-settings.ts';
import { isInClear, isLoopback, isRedisUrl } from './outward-url.ts';
import { isNetwork, trustStrangers } from './trusted-networks.ts';

type Given = Readonly<Record<string, string | undefined>>;

/** These make libraries and Node print requests, keys included. */
const DEBUG_VARIABLES = ['OPENAI_LOG', 'ANTHROPIC_LOG', 'DEBUG', 'NODE_DEBUG', 'NODE_DEBUG_NATIVE'] as const;

/** Options of Node by their beginnings, and what each kind does. A test holds them against all that Node has. */
const REFUSED_OPTIONS: readonly (readonly [option: RegExp, reason: string])[] = [
  [
    /^--(?:inspect|allow-inspector|debug|experimental-(?:worker-inspection|network-inspection|inspector))/,
    'opens its memory to debuggers',
  ],
  [
    /^--(?:heap-?(?:snapshot|prof)|cpu-prof|prof$|report|experimental-report|diagnostic-dir|abort-on)/,
    'writes its memory to files',
  ],
  [/^--(?:tls-keylog|trace-tls)/, 'writes down what decrypts its connections'],
  [
    /^--(?:insecure-|tls-(?:min|max)-v1\.[01]$|tls-cipher-list|security-revert|openssl-legacy)/,
    'weakens its connections',
  ],
  [/^--experimental-(?:default-)?config-file/, 'takes further options from a file that is not checked here'],
];

/** What crosses the connection. SANDBOX_URL is not among them: nothing is sent there in production. */
const CROSSES = {
  user: 'users’ keys and requests cross it',
  platform: 'requests and the platform’s credentials cross it',
} as const satisfies Record<CredentialKind, string>;
const OUTWARD: readonly (readonly [variable: string, reason: string])[] = [
  ...PROVIDERS.map((provider) => [urlVariable(provider), CROSSES[manifestOf(provider).account]] as const),
  ['KMS_URL', 'KMS answers with data keys in clear'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'the ids of tenants and jobs cross it'],
];

const STORES = ['REDIS_URL', 'EPHEMERAL_REDIS_URL'] as const;

const isOn = (text: string | undefined): boolean => z.stringbool().safeParse(text).data === true;

const optionProblems = ({ NODE_OPTIONS = '' }: Given, flags: readonly string[]): string[] =>
  [...flags, ...NODE_OPTIONS.split(/\s+/)].flatMap((flag) => {
    const option = flag.split('=')[0]?.replaceAll('_', '-').replaceAll('"', '') ?? '';
    const refused = REFUSED_OPTIONS.find(([pattern]) => pattern.test(option));
    return refused
      ? [`Node’s option ${option} must not be used in production: it ${refused[1]}. Start without it.`]
      : [];
  });

const storeProblems = (given: Given): string[] => {
  const waived = isOn(given.REDIS_ALLOW_INSECURE);
  return STORES.flatMap((name) => {
    const text = given[name];
    if (text === undefined || !isRedisUrl(text)) return [];
    const url = URL.parse(text);
    const problems: string[] = [];
    if (url?.protocol !== 'rediss:' && !waived) {
      problems.push(
        `${name} must be rediss:// in production: requests, results and sealed keys cross it, or what opens them. If nobody else is on that network, REDIS_ALLOW_INSECURE=true waives TLS.`,
      );
    }
    if (!url?.password) {
      problems.push(
        `${name} must hold a password in production, as in rediss://:password@host:6379: set one with requirepass or an ACL user. Everything that the gateway stores is behind it.`,
      );
    }
    return problems;
  });
};

const proxyProblems = ({ TRUSTED_PROXIES }: Given): string[] => {
  if (!TRUSTED_PROXIES) {
    return [
      'TRUSTED_PROXIES is required in production: the addresses of the proxies that end TLS before the API, which refuses every request that they do not say came over HTTPS.',
    ];
  }
  const networks = TRUSTED_PROXIES.split(',').map((network) => network.trim());
  return networks.every(isNetwork) && trustStrangers(networks)
    ? [
        'TRUSTED_PROXIES must hold the proxies alone in production: in so large a part of the internet anybody could say that a request came over HTTPS, and from which address. List their own networks.',
      ]
    : [];
};

/** `flags`: the options that this process was started with. */
export const productionProblems = (
  given: Given,
  { sandbox, flags }: { sandbox: boolean; flags: readonly string[] },
) => [
  ...DEBUG_VARIABLES.filter((name) => given[name]).map(
    (name) => `${name} must not be set in production: it makes a library print requests.`,
  ),
  ...optionProblems(given, flags),
  ...(given.NODE_TLS_REJECT_UNAUTHORIZED === '0'
    ? [
        'NODE_TLS_REJECT_UNAUTHORIZED=0 must not be set in production: whoever is on the way could read users’ keys. NODE_EXTRA_CA_CERTS trusts a private authority.',
      ]
    : []),
  ...(sandbox ? ['SANDBOX must not be on in production: its demo key is public.'] : []),
  ...(isOn(given.WEBHOOK_ALLOW_PRIVATE)
    ? [
        'WEBHOOK_ALLOW_PRIVATE must not be on in production: tenants’ webhooks would reach services of your own network. Receivers need a public https:// address.',
      ]
    : []),
  ...proxyProblems(given),
  ...storeProblems(given),
  ...OUTWARD.flatMap(([name, reason]) =>
    isInClear(given[name] ?? '')
      ? [`${name} must be https:// in production: ${reason}. Only this machine’s own addresses may be http://.`]
      : [],
  ),
  ...awsEndpointProblems(given),
];

/**
 * Outside production: whether others are served on real providers, and nobody said that this is meant. `test` says it not: what
 * runs tests sets it, and leaves it behind in shells and images.
 */
export const exposureProblems = (
  { NODE_ENV, HOST = '127.0.0.1', TRUSTED_PROXIES }: Given,
  sandbox: boolean,
): string[] => {
  if (NODE_ENV === 'development' || sandbox) return [];
  const signs = [
    ...(isLoopback(HOST) ? [] : ['HOST lets other machines in']),
    ...(TRUSTED_PROXIES ? ['TRUSTED_PROXIES names a proxy that does'] : []),
  ];
  return signs.length === 0
    ? []
    : [
        `NODE_ENV must be set when the gateway runs on real providers and ${signs.join(', and ')}: production, with all that it demands; or development, if nobody else can reach it. SANDBOX=true needs neither.`,
      ];
};
