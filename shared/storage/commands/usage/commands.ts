/** What tenants used, and how their budgets stand. */
import { command } from '../command.ts';

export const readUsage = command('usage/read-usage', { tenant: 'text', days: 'list' }, 'no-writes').answers<string[]>();

export const readBudget = command('usage/read-budget', { tenant: 'text' }, 'no-writes').answers<
  [month: string, platform: string[], user: string[]]
>();
