/** The stored limits of a tenant without limits of its own. */
export const NO_LIMITS = {
  requests_per_minute: null,
  tokens_per_minute: null,
  max_in_flight: null,
  max_queued: null,
  max_stored_bytes: null,
  monthly_budget_usd: null,
  monthly_user_budget_usd: null,
};
