import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { violationsOf } from './import-law.ts';

const listed = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate', '*.ts'],
  {
    encoding: 'utf8',
  },
);
const deleted = new Set(execFileSync('git', ['ls-files', '--deleted', '*.ts'], { encoding: 'utf8' }).split('\n'));
const paths = listed.split('\n').filter((path) => path !== '' && !deleted.has(path));
const violations = violationsOf(paths.map((path) => ({ path, text: readFileSync(path, 'utf8') })));
for (const { where, what } of violations) process.stderr.write(`${where} ${what}\n`);
process.stdout.write(`Import law: ${paths.length} files, ${violations.length} violations\n`);
if (violations.length > 0) process.exitCode = 1;
