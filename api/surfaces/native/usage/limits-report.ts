/** The limits in force for a tenant, how many bytes it stores, and how its budgets of this month stand. */
import type { CredentialKind } from '../../../../shared/domain/completion.ts';
import { budgetNano, type LimitsInForce } from '../../../../shared/domain/tenants/limits.ts';
import type { BudgetState } from '../../../../shared/storage/usage/budget-store.ts';
import type { LimitsReport } from './schema.ts';

/** 80 or 100: that much of the budget is used, or a call did not fit into it any more; null: less. */
const thresholdOf = (budget: number | null, { told }: BudgetState): 80 | 100 | null => {
  if (budget === null) return null;
  return told[100] === budget ? 100 : told[80] === budget ? 80 : null;
};

type State = { budgets: Record<CredentialKind, BudgetState>; storedBytes: number };

export const toLimitsReport = (
  limits: LimitsInForce,
  { budgets: { platform, user }, storedBytes }: State,
): LimitsReport => ({
  ...limits,
  stored_bytes: storedBytes,
  budget_used_usd: platform.used / 1e9,
  budget_reserved_usd: platform.reserved / 1e9,
  budget_missed_usd: platform.missed / 1e9,
  budget_threshold_percent: thresholdOf(budgetNano(limits, 'platform'), platform),
  user_budget_used_usd: user.used / 1e9,
  user_budget_reserved_usd: user.reserved / 1e9,
  user_budget_missed_usd: user.missed / 1e9,
  user_budget_threshold_percent: thresholdOf(budgetNano(limits, 'user'), user),
});
