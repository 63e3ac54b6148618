// Runs before local/start.ts, in plain JavaScript: an older Node would only say that it does not know `.ts`.
const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  console.error(`The gateway needs Node 24 or newer; this is ${process.version}.`);
  console.error(
    'On Linux (x64, arm64) `npm ci` brings it along: start with `npm start`. Elsewhere install it from https://nodejs.org.',
  );
  process.exit(1);
}
