// Runs before every command of package.json that needs it, in plain JavaScript: an older Node would only say that it does not know `.ts`.
const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  console.error(`The gateway needs Node 24 or newer; this is ${process.version}.`);
  console.error(
    'On Linux (x64, arm64) `npm ci` brings it along, for `npm start` and every other `npm run`. Elsewhere install it from https://nodejs.org.',
  );
  process.exit(1);
}
