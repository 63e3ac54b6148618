/** `npm run format`: the Lua of the commands in one form. `--write` puts it into it. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import * as stylua from '@johnnymorganz/stylua';

/** A new one for each file: `formatCode` takes it over. */
const style = (): stylua.Config => {
  const config = stylua.Config.new();
  config.column_width = 120;
  config.indent_type = stylua.IndentType.Spaces;
  config.indent_width = 2;
  config.quote_style = stylua.QuoteStyle.AutoPreferSingle;
  config.syntax = stylua.LuaVersion.Lua51;
  return config;
};

const paths = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.lua'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '');
const different = paths.filter((path) => {
  const text = readFileSync(path, 'utf8');
  const formatted = stylua.formatCode(text, style(), undefined, stylua.OutputVerification.None);
  if (formatted !== text && process.argv.includes('--write')) writeFileSync(path, formatted);
  return formatted !== text;
});
if (process.argv.includes('--write')) {
  process.stdout.write(`Lua: ${different.length} of ${paths.length} files formatted\n`);
} else {
  for (const path of different) process.stderr.write(`${path} is not formatted: npm run fix\n`);
  process.stdout.write(`Lua: ${paths.length} files, ${different.length} not formatted\n`);
  if (different.length > 0) process.exitCode = 1;
}
