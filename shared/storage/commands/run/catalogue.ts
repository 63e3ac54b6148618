/** The list of all commands. */
import * as audit from '../audit/commands.ts';
import * as batches from '../batches/commands.ts';
import type { Command } from '../command.ts';
import * as jobs from '../jobs/commands.ts';
import * as platformKeys from '../platform-keys/commands.ts';
import * as scheduler from '../scheduler/commands.ts';
import * as tenants from '../tenants/commands.ts';
import * as usage from '../usage/commands.ts';
import * as webhooks from '../webhooks/commands.ts';

export const COMMANDS: readonly Command[] = [
  jobs,
  scheduler,
  batches,
  webhooks,
  tenants,
  platformKeys,
  audit,
  usage,
].flatMap((aggregate) => Object.values<Command>(aggregate));
