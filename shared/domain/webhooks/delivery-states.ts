/** The words of a delivery: its states, why it failed, and what its attempts came to. */
import { DELIVERY_FAILURES } from './delivery-outcome.ts';

export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** Why a delivery failed, or did not even begin, where no answer of the endpoint says it. */
export const DELIVERY_REASONS = [
  /** The URL answered 410 to an earlier event. */
  'url_disabled',
  /** It waited 4 days for its turn: the endpoint gave no answer to those before it, or was slower than events came. */
  'waited_too_long',
  /** What it tells of was deleted. */
  'subject_gone',
  /** Its tenant was deleted, and what was to be told stopped with it. */
  'tenant_deleted',
] as const;
export type DeliveryReason = (typeof DELIVERY_REASONS)[number];

/** What an attempt came to. `unknown`: the worker died or was stopped; the event may have arrived. */
export const DELIVERY_CODES = ['delivered', ...DELIVERY_FAILURES, 'subject_gone', 'unknown'] as const;
export type DeliveryCode = (typeof DELIVERY_CODES)[number];
