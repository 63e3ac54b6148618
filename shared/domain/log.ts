/** What may be said to the log: named events with typed fields. A library's error object never goes in: it may hold commands, headers or keys. */
/** What a line may hold. A new field is added here, by someone who asks whether it can hold a secret. */
type Fields = {
  request_id?: string;
  tenant?: string;
  /** The public id or name of one, never the key. */
  platform_key?: string;
  job_id?: string;
  batch_id?: string;
  delivery_id?: string;
  method?: string;
  route?: string;
  status?: number;
  code?: string;
  /** Of the key service. */
  operation?: string;
  duration_ms?: number;
  attempt?: number;
  outcome?: string;
  became?: string;
  provider?: string;
  credential?: string;
  worker?: string;
  /** Of the scheduler's data. */
  shard?: number;
  /** Of the upkeep. */
  step?: string;
  /** Why, in words of ours alone. */
  reason?: string;
  count?: number;
  host?: string;
  port?: number;
  sandbox?: boolean;
  signal?: string;
  /** Where in our own code an unexpected error arose: file names and lines, no message. */
  stack?: string[];
  used_percent?: number;
  /** Names of environment variables, never values. */
  variable?: string;
  meant?: string[];
  /** The id of an entry in a ring of keys, never its key. */
  ring_key?: string;
  /** Of the audit log: a chain, a seal of it and that seal's MAC. */
  chain?: string;
  seal?: number;
  mac?: string;
};

export type Log = Record<'debug' | 'info' | 'warn' | 'error', (event: string, fields?: Fields) => void>;

/** An error whose message is made of our own words alone, so that it may be logged. */
export class LoggableError extends Error {}

/** What may be logged of an error nobody expected: its class and the places in the code; the message, which may hold anything, only of an error of ours that says so. */
export const describeError = (error: unknown): { code: string; reason?: string; stack: string[] } => {
  if (!(error instanceof Error)) return { code: typeof error, stack: [] };
  const { name, stack: text = '' } = error;
  // Behind the message, whose lines may look like places; a stack without it begins with an older one.
  const message = String(error.message);
  const at = text.indexOf(message);
  const behind = at < 0 ? '' : text.slice(at + message.length);
  const stack = behind.split('\n').flatMap((line) => {
    const [, place] = /^\s+at .*?((?:[\w.@-]+\/){0,3}[\w.-]+:\d+:\d+)\)?$/.exec(line) ?? [];
    return place ? [place] : [];
  });
  // A name may have come over the wire: AWS's SDK calls its errors what the server does.
  const code = /^[A-Za-z]{1,64}$/.test(name) ? name : 'Error';
  return { code, ...(error instanceof LoggableError && { reason: message }), stack: stack.slice(0, 8) };
};
