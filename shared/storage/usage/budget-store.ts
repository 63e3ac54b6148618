/** How a tenant's budgets stand. Written only by the scripts that accept, claim and settle jobs. */
import type { CredentialKind } from '../../domain/completion.ts';
import type { TenantId } from '../../domain/ids.ts';
import type { RunCommand } from '../commands/command.ts';
import { readBudget } from '../commands/usage/commands.ts';
import { tenantTag } from '../redis/shards.ts';

/** In nano-dollars. `missed`: by how much calls cost more than was estimated. */
export type BudgetState = {
  used: number;
  reserved: number;
  missed: number;
  /** The budgets of which 80 % was used, and which did not cover a call; null: none yet. */
  told: { 80: number | null; 100: number | null };
};

export type BudgetStore = ReturnType<typeof createBudgetStore>;

export const createBudgetStore = ({ run, shards }: { run: RunCommand; shards: number }) => ({
  /** Of this month, by Redis' clock. */
  read: async (tenant: TenantId): Promise<Record<CredentialKind, BudgetState>> => {
    // The cast: the form of the answer is that in the script's header.
    const [, platform, user] = await run(readBudget, tenantTag(tenant, shards), { tenant });
    return { platform: parseState(platform), user: parseState(user) };
  },
});

const parseState = ([used, reserved, missed, told80, told100]: string[]): BudgetState => ({
  used: Number(used ?? 0),
  reserved: Number(reserved ?? 0),
  missed: Number(missed ?? 0),
  told: { 80: told80 ? Number(told80) : null, 100: told100 ? Number(told100) : null },
});
