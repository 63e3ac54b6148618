/** What Lua itself would find out at run time, or never: names that are nothing, inputs that nobody reads, locals that hide a module. */
import type { Inputs } from '../../shared/storage/commands/command.ts';
import { toSnake } from '../../shared/storage/commands/run/compose.ts';
import { isKeyName } from '../../shared/storage/redis/names.ts';
import type { Violation } from './import-law.ts';
import { type LuaScopes, luaScopes } from './lua-scopes.ts';

const LIBRARY = new Set([
  ...['cjson', 'ipairs', 'math', 'next', 'pairs', 'pcall', 'redis', 'string', 'table', 'tonumber', 'type', 'unpack'],
]);

/** A Lua file; `inputs` of a command, null of a module and of the frame. */
export type LuaFile = { path: string; text: string; inputs: Inputs | null };

const isFrame = ({ path }: LuaFile): boolean => path.endsWith('/lib/frame.lua');
const moduleNameOf = (text: string): string | null => /^local ([A-Z]\w*) = \{\}$/m.exec(text)?.[1] ?? null;

export const luaViolationsOf = (files: readonly LuaFile[]): Violation[] => {
  const violations: Violation[] = [];
  const scopesOf = new Map<LuaFile, LuaScopes>(files.map((file) => [file, luaScopes(file.text)]));
  const frame = files.find(isFrame);
  const ofFrame = frame ? (scopesOf.get(frame)?.declared ?? []) : [];
  const frameNames = new Set(ofFrame.filter(({ top }) => top).map(({ name }) => name));
  const modules = new Map(
    files.flatMap((file) => {
      const name = file.inputs === null && !isFrame(file) ? moduleNameOf(file.text) : null;
      return name === null ? [] : [[name, file] as const];
    }),
  );
  const isUsedOutside = (module: string, field: string): boolean =>
    files.some(
      (file) =>
        modules.get(module) !== file &&
        scopesOf.get(file)?.members.some((use) => use.table === module && use.field === field),
    );

  for (const file of files) {
    const scopes = scopesOf.get(file);
    if (!scopes) continue;
    const report = (line: number, what: string): void => {
      violations.push({ where: `${file.path}:${line}`, what });
    };
    const own = moduleNameOf(file.text);
    for (const { name, line } of scopes.free) {
      const isKnown =
        LIBRARY.has(name) ||
        frameNames.has(name) ||
        modules.has(name) ||
        isKeyName(name) ||
        (file.inputs !== null && name === 'input') ||
        (isFrame(file) && name === 'names');
      if (!isKnown) report(line, `\`${name}\` is nothing`);
    }
    for (const { name, line } of scopes.declared) {
      const hides =
        name !== own && (LIBRARY.has(name) || modules.has(name) || (!isFrame(file) && frameNames.has(name)));
      if (hides) report(line, `\`${name}\` hides what all files know by this name`);
    }
    // What the frame declares is for the others.
    if (!isFrame(file)) for (const { name, line } of scopes.unused) report(line, `nothing reads \`${name}\``);
    for (const { table, field, line, defined } of scopes.members) {
      const module = modules.get(table);
      if (!module) continue;
      if (defined && module === file && !isUsedOutside(table, field))
        report(line, `nothing outside uses \`${table}.${field}\`: make it a local`);
      const isThere = scopesOf
        .get(module)
        ?.members.some((other) => other.table === table && other.field === field && other.defined);
      if (!isThere) report(line, `${table} has no \`${field}\``);
    }
    const names = Object.keys(file.inputs ?? {}).map(toSnake);
    const read = scopes.members.filter(({ table }) => table === 'input');
    for (const { field, line } of read)
      if (file.inputs && !names.includes(field)) report(line, `the command has no input \`${field}\``);
    for (const name of names)
      if (!read.some(({ field }) => field === name)) report(1, `nothing reads \`input.${name}\``);
  }
  return violations;
};
