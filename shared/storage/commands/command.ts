/** One atomic step on a shard, or on the registry: a Lua text, what goes into it by name, and what comes out. */

/**
 * How an input reaches Lua. `text`: as it is, with '' for null; `whole`: as a number; `flag`: as a boolean;
 * `list`: all arguments that are left, so it comes last.
 */
type Kind = 'text' | 'whole' | 'flag' | 'list';
export type Inputs = Readonly<Record<string, Kind>>;

type Values = {
  text: string | number | null;
  whole: number;
  flag: boolean;
  list: readonly Argument[];
};
/** As Redis takes it. */
export type Argument = string | number | Buffer;
export type InputOf<In extends Inputs> = { [Name in keyof In]: Values[In[Name]] };

/** What Redis is told of a command before it runs it. `no-writes`: it only reads, and runs on a server whose memory is full; `allow-oom`: it frees memory or stops work, and runs there too. */
type Flag = 'no-writes' | 'allow-oom';

declare const answer: unique symbol;
export type Command<In extends Inputs = Inputs, Out = unknown> = {
  name: string;
  /** The file of the text, beside this one and without its ending. */
  path: string;
  inputs: In;
  flags: readonly Flag[];
  /** In the types only: the form of the answer is that in the text's header. */
  readonly [answer]?: Out;
};

/** `command('jobs/view', { … }).answers<Reply>()`. The text is `jobs/view.lua`. */
export const command = <const In extends Inputs>(path: `${string}/${string}`, inputs: In, ...flags: Flag[]) => ({
  answers: <Out>(): Command<In, Out> => ({ name: path.slice(path.indexOf('/') + 1), path, inputs, flags }),
});

/**
 * Runs a command on the shard `tag`. Rejects with RedisUnavailable if Redis does not serve: whether the
 * command ran is then unknown; with RedisRefused if it was wrong.
 */
export type RunCommand = <In extends Inputs, Out>(
  command: Command<In, Out>,
  tag: string,
  input: InputOf<In>,
) => Promise<Out>;

/** The input as Redis takes it, in the order of the definition. */
export const argumentsOf = <In extends Inputs>(inputs: In, input: InputOf<In>): Argument[] =>
  Object.keys(inputs).flatMap((name) => {
    const value: Values[Kind] = input[name as keyof In];
    if (value === null || value === false) return [''];
    if (value === true) return ['1'];
    return Array.isArray(value) ? value : [value];
  });
