// Completes package-lock.json after `npm install`: adds the optional packages that the lock names but does not hold.
//
// npm leaves out a platform's binary that its registry could not offer on the day the lock was made (mirrors lag, some lack a platform for good), and then every `npm ci` ends with
// "Missing: … from lock file". An entry of version and platform is enough: npm skips it elsewhere, and fetches it by version there. It has no integrity, because nobody here saw the tarball.
//
// Plain JavaScript, so that a machine's own Node 20 runs it: `node .ci/complete-lock.mjs`; with `--check` it writes nothing and exits 1 when something is missing.
import { readFileSync, writeFileSync } from 'node:fs';

const lockUrl = new URL('../package-lock.json', import.meta.url);
const operatingSystems = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const processors = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];
const exactVersion = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

/** The nearest copy that `require(name)` from the package at `from` would find, as Node looks it up. */
function isHeld(packages, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    if (packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`] !== undefined) return true;
    if (folder === '') return false;
  }
}

/** Reads `@scope/tool-linux-arm64-musl` and its like; a name that says less gives fewer limits. */
function platformOf(name) {
  const words = name.toLowerCase().split(/[^a-z0-9]+/);
  const os = operatingSystems.find((known) => words.includes(known));
  const cpu = processors.find((known) => words.includes(known));
  const libc = words.some((word) => word.startsWith('musl'))
    ? 'musl'
    : words.some((word) => word.startsWith('gnu'))
      ? 'glibc'
      : undefined;
  return { os, cpu, libc: os === 'linux' ? libc : undefined };
}

const text = readFileSync(lockUrl, 'utf8');
const lock = JSON.parse(text);
const added = new Map();
for (const [from, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isHeld(lock.packages, from, name)) continue;
    const path = `node_modules/${name}`;
    if (!exactVersion.test(range) || platformOf(name).os === undefined)
      throw new Error(`${from} wants ${name}@${range}: no version or platform can be read from that; add it by hand`);
    const known = added.get(path);
    if (known && known.version !== range)
      throw new Error(`${name} is wanted as ${known.version} and as ${range}; add one of them by hand`);
    // Development only as long as everything that wants it is: `npm ci --omit=dev` must skip it then.
    const dev = entry.dev === true && (known === undefined || known.dev === true);
    const { cpu, libc, os } = platformOf(name);
    // In npm's own order of fields, so that a later `npm install` leaves these lines as they are.
    added.set(path, {
      version: range,
      ...(cpu && { cpu: [cpu] }),
      ...(dev && { dev }),
      ...(libc && { libc: [libc] }),
      optional: true,
      os: [os],
    });
  }
}

const missing = [...added.keys()].map((path) => path.slice('node_modules/'.length));
if (process.argv.includes('--check')) {
  if (missing.length > 0)
    console.error(`package-lock.json lacks ${missing.join(', ')}: run node .ci/complete-lock.mjs`);
  process.exitCode = missing.length > 0 ? 1 : 0;
} else if (missing.length > 0) {
  const sorted = Object.entries({ ...lock.packages, ...Object.fromEntries(added) }).sort(([a], [b]) =>
    a.localeCompare(b, 'en'),
  );
  writeFileSync(lockUrl, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
  console.log(`package-lock.json: added ${missing.length} optional packages of other platforms`);
} else {
  console.log('package-lock.json is complete');
}
