/**
 * Runs the sandbox as a process of its own: `node sandbox/main.ts [port]`.
 * Environment: `SANDBOX_PORT` (4010), `SANDBOX_HOST` (127.0.0.1), `SANDBOX_DELAY_MS` (400).
 * A parent that has an IPC channel is sent `{ type: 'listening', url, providerUrls }`, and the process ends with that channel.
 */
import { createSandbox } from './server.ts';

const { SANDBOX_PORT, SANDBOX_HOST, SANDBOX_DELAY_MS } = process.env;

const wholeNumber = (name: string, value: string, max: number): number => {
  if (/^\d{1,9}$/.test(value) && Number(value) <= max) return Number(value);
  console.error(`sandbox: ${name} must be a whole number from 0 to ${max}, in digits only`);
  process.exit(1);
};

const exit = (): never => process.exit(0);
process.once('SIGINT', exit);
process.once('SIGTERM', exit);
if (process.channel) process.once('disconnect', exit);

const options = {
  port: wholeNumber('SANDBOX_PORT', process.argv[2] ?? SANDBOX_PORT ?? '4010', 65_535),
  host: SANDBOX_HOST ?? '127.0.0.1',
  delayMs: wholeNumber('SANDBOX_DELAY_MS', SANDBOX_DELAY_MS ?? '400', 600_000),
};

try {
  const { url, providerUrls } = await createSandbox(options);
  console.log(`sandbox: the providers' stand-in listens on ${url}; answers come from no model`);
  process.send?.({ type: 'listening', url, providerUrls });
} catch (error) {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  console.error(`sandbox: cannot listen on ${options.host}:${options.port} (${code})`);
  process.exit(1);
}
