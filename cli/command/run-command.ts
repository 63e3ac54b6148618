/** What every command of the gateway does around its own work. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { z } from 'zod';
import { describeError } from '../../shared/domain/log.ts';
import { ConfigError } from '../../shared/domain/wording/config-error.ts';
import { explainIssue } from '../../shared/domain/wording/explain-issue.ts';
import { ServerUnreached } from '../../shared/storage/redis/reach-server.ts';
import { UnfitServer } from '../../shared/storage/redis/server.ts';
import { RedisUnavailable } from '../../shared/storage/redis/unavailable.ts';

/** Its message is for whoever typed the command. */
export class CommandError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CommandError';
  }
}

export const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** Checks what was typed against a schema, which for what the HTTP interface takes too is the same, in the same words. */
export const check = <T extends z.ZodType>(schema: T, value: unknown): z.infer<T> => {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw new CommandError(explainIssue(parsed.error.issues, 'What was typed').message);
};

export const withJson = (command: Command): Command => command.option('--json', 'print JSON instead of a table');

/** Runs what was typed, with the settings of `.env` where there is one; a mistake is a line on standard error and exit code 1. */
export const runCommand = async (program: Command): Promise<void> => {
  process.chdir(join(import.meta.dirname, '..', '..'));
  if (existsSync('.env')) process.loadEnvFile('.env');
  try {
    await program.parseAsync();
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = 1;
  }
};

const explain = (error: unknown): string => {
  if (error instanceof RedisUnavailable) return `${error.message}.`;
  if (
    error instanceof CommandError ||
    error instanceof ConfigError ||
    error instanceof UnfitServer ||
    error instanceof ServerUnreached
  )
    return error.message;
  // Node would print the whole error, and a library's error may hold a key.
  const { code, stack } = describeError(error);
  return [`Something went wrong in the command itself: ${code}`, ...stack.map((place) => `  at ${place}`)].join('\n');
};
