import { type RecordOf, record } from './record.ts';

export const DELIVERY_FIELDS = record({
  tenant: 'whose it is',
  subject: 'id of the job or batch; nothing for a test',
  type: 'of the event',
  endpoint: 'the tenant’s origin that it goes to',
  url: 'where it goes',
  happened: 'when the event was recorded',
  status: '`pending`, `delivered` or `failed`',
  reason: 'why it failed without an attempt that says so',
  finished: 'when it was delivered or given up',
  at: 'where it stands: `handed`, `waiting` or `due`',
  handoff: 'how often it was handed to BullMQ',
  attempts: 'how many were opened',
  'attempt:': '<number>: `started|ms|code|status|mark`, and what later releases add',
  failures: 'attempts that count toward its schedule',
  again: 'when it was sent again last',
  held: '`<bytes> <gone at> <bytes of the request>`, as `stored_bytes` counts them',
});
export type DeliveryRecord = RecordOf<typeof DELIVERY_FIELDS>;
