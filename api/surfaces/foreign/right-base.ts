/** Whose client a call comes from, and whether it has the base URL of that client's surface. */

/** `resources`: how paths begin behind the base; those that both have belong to whoever calls. */
export const DIALECTS = {
  openai: {
    label: 'OpenAI',
    /** As its SDK takes it, behind the gateway's address. */
    baseUrl: '/openai/v1',
    paths: '/openai/v1/',
    resources: [
      ...['audio', 'batches', 'chat', 'completions', 'conversations', 'embeddings', 'files', 'fine_tuning', 'images'],
      ...['models', 'moderations', 'realtime', 'responses', 'uploads', 'vector_stores'],
    ],
  },
  anthropic: {
    label: 'Anthropic',
    baseUrl: '/anthropic',
    paths: '/anthropic/v1/',
    // The second is its older interface, of which older SDKs still have calls.
    resources: ['messages', 'complete', 'files', 'models'],
  },
} as const satisfies Record<string, { label: string; baseUrl: string; paths: string; resources: readonly string[] }>;
export type DialectName = keyof typeof DIALECTS;

/** What clients put before a resource. */
const PREFIXES: ReadonlySet<string> = new Set(['v1', 'openai', 'anthropic']);

// A cast because Object.keys forgets which keys an object has.
const NAMES = Object.keys(DIALECTS) as DialectName[];

const ownersOf = (resource: string): DialectName[] =>
  NAMES.filter((name) => DIALECTS[name].resources.some((each) => each === resource));

/** By headers that no other client has a reason to send; null for one that is nobody's SDK. */
export const dialectOfClient = (header: (name: string) => string | undefined): DialectName | null => {
  if (header('anthropic-version') !== undefined) return 'anthropic';
  return header('x-stainless-lang') === undefined ? null : 'openai';
};

/** The beginning of a path by which the gateway's own calls are told apart: `/v1/jobs`, `/docs`. */
export const headOf = (path: string): string => /^\/(?:v1\/)?[^/]*/.exec(path)?.[0] ?? path;

/**
 * Whose surface a call means that does not go there; null for one that goes where it means to, or that
 * nothing tells of. `ownHeads`: of the gateway's own calls, which an SDK may reach unawares, because its
 * interface has that name too: `/v1/batches`.
 */
export const dialectAstray = (
  path: string,
  client: DialectName | null,
  ownHeads: ReadonlySet<string>,
): DialectName | null => {
  const segments = path.split('/').slice(1);
  const ownersAt = (index: number): DialectName[] => ownersOf(segments[index] ?? '');
  if (ownHeads.has(headOf(path))) return client !== null && ownersAt(1).includes(client) ? client : null;

  // Of anybody but an SDK it is the gateway's own name.
  const tells = (index: number): boolean =>
    ownersAt(index).length > 0 && (client !== null || !ownHeads.has(`/v1/${segments[index]}`));
  const behindPrefixes = segments.findIndex((segment) => !PREFIXES.has(segment));
  const hasPrefix = segments[0] === 'openai' || segments[0] === 'anthropic';
  // A proxy may put more before it.
  const at = client !== null || hasPrefix ? behindPrefixes : segments.findIndex((_, index) => tells(index));
  if (at < 0 || (client === null && !tells(at))) return null;
  const [owner, another] = ownersAt(at);
  const named = segments.slice(0, at).includes('anthropic') ? 'anthropic' : 'openai';
  const dialect = owner === undefined || another !== undefined ? (client ?? named) : owner;
  return path === DIALECTS[dialect].paths + segments.slice(at).join('/') ? null : dialect;
};

export const messageAstray = (dialect: DialectName): string => {
  const { label, baseUrl, paths } = DIALECTS[dialect];
  return `There is no such path for clients of ${label}: their base URL is this gateway’s address with ${baseUrl} behind it, so that calls go to ${paths}…; /docs and /openapi.json list what exists.`;
};
