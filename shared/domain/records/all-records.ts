import { BATCH_FIELDS } from './batch-record.ts';
import { DELIVERY_FIELDS } from './delivery-record.ts';
import { JOB_FIELDS } from './job-record.ts';
import { LANE_FIELDS, TENANT_FIELDS, UPSTREAM_FIELDS } from './scheduler-records.ts';

/** By the name of the key that the record stands under. */
export const RECORDS = {
  JOB: JOB_FIELDS,
  BATCH: BATCH_FIELDS,
  DELIVERY: DELIVERY_FIELDS,
  TENANT: TENANT_FIELDS,
  LANE: LANE_FIELDS,
  UPSTREAM: UPSTREAM_FIELDS,
} as const;
