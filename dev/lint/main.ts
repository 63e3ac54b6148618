import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { COMMANDS } from '../../shared/storage/commands/run/catalogue.ts';
import { type Violation, violationsOf } from './import-law.ts';
import { luaViolationsOf } from './lua-law.ts';

const LUA_FOLDER = 'shared/storage/commands';

const list = (...options: string[]): string[] =>
  execFileSync('git', ['ls-files', ...options], { encoding: 'utf8' })
    .split('\n')
    .filter((path) => path !== '');

/** As they are on the disk, whether git knows them or not. */
const read = (pattern: string): { path: string; text: string }[] => {
  const deleted = new Set(list('--deleted', pattern));
  return list('--cached', '--others', '--exclude-standard', '--deduplicate', pattern)
    .filter((path) => !deleted.has(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
};

const report = (law: string, files: readonly unknown[], violations: readonly Violation[]): void => {
  for (const { where, what } of violations) process.stderr.write(`${where} ${what}\n`);
  process.stdout.write(`${law}: ${files.length} files, ${violations.length} violations\n`);
  if (violations.length > 0) process.exitCode = 1;
};

const scripts = read('*.ts');
report('Import law', scripts, violationsOf(scripts));

const inputs = new Map(COMMANDS.map((command) => [`${LUA_FOLDER}/${command.path}.lua`, command.inputs]));
const lua = read('*.lua').map((file) => ({ ...file, inputs: inputs.get(file.path) ?? null }));
report('Lua', lua, luaViolationsOf(lua));
