/** The Lua of the commands, put together: modules first, each before those that use it. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { withNames } from '../../redis/names.ts';
import type { Command, Inputs } from '../command.ts';

const FOLDER = new URL('../', import.meta.url);
const STRING_OR_COMMENT = /'[^'\n]*'|--[^\n]*/g;

/** Without its comments, which Redis would keep and read; its lines stay where they are. */
const read = (path: string): string =>
  readFileSync(new URL(`${path}.lua`, FOLDER), 'utf8').replaceAll(STRING_OR_COMMENT, (found) =>
    found.startsWith('--') ? '' : found,
  );

type Module = { name: string; text: string; uses: string[] };

/** The modules that a text uses by name: `Lanes.key(…)`. */
const usesOf = (text: string): string[] => [
  ...new Set([...text.replaceAll(STRING_OR_COMMENT, '').matchAll(/\b([A-Z][a-z]\w*)\./g)].map(([, name = '']) => name)),
];

const readModules = (): Map<string, Module> => {
  const files = readdirSync(new URL('lib/', FOLDER)).map((file) => file.slice(0, -'.lua'.length));
  const modules = files
    .filter((file) => file !== 'frame')
    .map((file) => {
      const text = read(`lib/${file}`);
      const [, name] = /^local ([A-Z]\w*) = \{\}$/m.exec(text) ?? [];
      if (name === undefined) throw new Error(`lib/${file}.lua is no module`);
      return { name, text, uses: usesOf(text).filter((used) => used !== name) };
    });
  return new Map(modules.map((module) => [module.name, module]));
};

/** These modules and all that they need, in an order in which each stands behind those that it uses. */
const inOrder = (modules: ReadonlyMap<string, Module>, wanted: readonly string[]): Module[] => {
  const ordered = new Map<string, Module>();
  const visit = (name: string, path: readonly string[]): void => {
    if (path.includes(name)) throw new Error(`Lua modules in a circle: ${[...path, name].join(' → ')}`);
    const module = modules.get(name);
    if (!module) throw new Error(`no Lua module ${name}, which ${path.at(-1) ?? 'a command'} uses`);
    for (const used of module.uses) visit(used, [...path, name]);
    ordered.set(name, module);
  };
  for (const name of wanted) visit(name, []);
  return [...ordered.values()];
};

/** An input's name as Lua has it. */
export const toSnake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The table that a command gets, made of `args`. */
const inputTable = (inputs: Inputs, args: string): string => {
  const fields = Object.entries(inputs).map(([name, kind], index) => {
    const arg = `${args}[${index + 1}]`;
    const value = { text: arg, whole: `tonumber(${arg})`, flag: `${arg} == '1'`, list: `rest(${args}, ${index + 1})` };
    return `${toSnake(name)} = ${value[kind]}`;
  });
  return `{ ${fields.join(', ')} }`;
};

/** A module may be used by those behind it; its own locals are its own. */
const moduleText = ({ name, text }: Module): string => `local ${name} = (function()\n${text}\nend)()`;

const FRAME = 'lib/frame';

type Body = { text: string } & Pick<Command, 'inputs' | 'flags'>;

/** A server that lets us load no functions runs the whole text at each call, so nothing goes along that the body does not use. */
export const composeScript = ({ text: own, inputs, flags }: Body, modules = readModules()): Script => {
  const parts = [read(FRAME), ...inOrder(modules, usesOf(own)).map(moduleText)];
  const call = `begin(KEYS[1])\nreturn (function(input)\n${own}\nend)(${inputTable(inputs, 'ARGV')})`;
  const shebang = flags.length > 0 ? `#!lua flags=${flags.join(',')}` : '#!lua';
  const text = `${shebang}\n${withNames([...parts, call].join('\n'))}`;
  return { text, sha: createHash('sha1').update(text).digest('hex') };
};

/** Stands for the digest of a text in the text itself. */
const DIGEST = '@digest@';

const functionOf = (command: string, digest: string): string => `${command.replaceAll('-', '_')}_${digest}`;

const registration = ({ name, path, inputs, flags }: Command): string => `do
  local function run(input)
${read(path)}
  end
  redis.register_function({
    function_name = '${functionOf(name, DIGEST)}',
    callback = function(keys, args) begin(keys[1]) return run(${inputTable(inputs, 'args')}) end,
    flags = { ${flags.map((flag) => `'${flag}'`).join(', ')} },
  })
end`;

const libraryOf = (commands: readonly Command[], modules: ReadonlyMap<string, Module>): Library => {
  const parts = [read(FRAME), ...inOrder(modules, [...modules.keys()]).map(moduleText), ...commands.map(registration)];
  const text = withNames(parts.join('\n'));
  const digest = createHash('sha1').update(text).digest('hex').slice(0, 12);
  const name = `${LIBRARY_PREFIX}${digest}`;
  return {
    name,
    text: `#!lua name=${name}\n${text.replaceAll(DIGEST, digest)}`,
    functionOf: (command) => functionOf(command, digest),
  };
};

export const LIBRARY_PREFIX = 'gateway_';

/** Its name says what it holds, as do those of its functions, so that two releases stand side by side. */
export type Library = { name: string; text: string; functionOf: (command: string) => string };
export type Script = { text: string; sha: string };

/** All commands as one library of functions, and each as a script of its own. */
export const composeCommands = (commands: readonly Command[]): { library: Library; scripts: Map<string, Script> } => {
  const modules = readModules();
  const users = [...commands.map(({ path }) => usesOf(read(path))), ...[...modules.values()].map(({ uses }) => uses)];
  const unused = [...modules.keys()].filter((name) => !users.some((uses) => uses.includes(name)));
  if (unused.length > 0) throw new Error(`Lua modules that nothing uses: ${unused.join(', ')}`);
  return {
    library: libraryOf(commands, modules),
    scripts: new Map(commands.map((each) => [each.name, composeScript({ ...each, text: read(each.path) }, modules)])),
  };
};
