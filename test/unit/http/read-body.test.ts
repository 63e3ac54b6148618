/** The memory that a body takes is counted for as long as somebody may hold it. */
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createBodyRoom } from '../../../api/http/body/body-room.ts';
import { createHoldAnswer, heaviestAnswer } from '../../../api/http/body/hold-answer.ts';
import { createReadBody, heaviestBody, releaseBody } from '../../../api/http/body/read-body.ts';
import type { ApiContext } from '../../../api/http/context.ts';
import type { TenantId } from '../../../shared/domain/ids.ts';

const BYTES = 1_000_000;
const roomFor = (heaviest: number) => createBodyRoom({ memoryBytes: 1, heaviest });
const acme = 'acme' as TenantId;

const requestOf = (bytes: number): { c: ApiContext; outgoing: EventEmitter; incoming: PassThrough } => {
  const incoming = Object.assign(new PassThrough(), { headers: {}, httpVersion: '1.1' });
  const outgoing = new EventEmitter();
  incoming.end(Buffer.alloc(bytes));
  const header = (name: string): string | undefined => (name === 'content-type' ? 'application/json' : undefined);
  // A cast because no more of it is asked for.
  return { c: { env: { incoming, outgoing }, req: { header } } as unknown as ApiContext, outgoing, incoming };
};

test('also when its client is gone, until the call is through', async () => {
  const readBody = createReadBody({ maxBodyBytes: BYTES, room: roomFor(heaviestBody(BYTES)) });
  const first = requestOf(BYTES);
  expect(await readBody(first.c, acme, 'json')).toHaveLength(BYTES);
  first.outgoing.emit('close');
  await expect(readBody(requestOf(BYTES).c, acme, 'json')).rejects.toMatchObject({ code: 'rate_limited' });
  releaseBody(first.c);
  releaseBody(first.c);
  expect(await readBody(requestOf(BYTES).c, acme, 'json')).toHaveLength(BYTES);
});

test('and not when it could not be read', async () => {
  const readBody = createReadBody({ maxBodyBytes: BYTES, room: roomFor(heaviestBody(BYTES)) });
  await expect(readBody(requestOf(BYTES + 1).c, acme, 'json')).rejects.toMatchObject({ code: 'body_too_large' });
  const cut = requestOf(0);
  const reading = readBody(cut.c, acme, 'json');
  cut.incoming.destroy(new Error('gone'));
  await expect(reading).rejects.toBeDefined();
  expect(await readBody(requestOf(BYTES).c, acme, 'json')).toHaveLength(BYTES);
});

test('an answer takes room until its client has it, and none for a client that is gone', () => {
  const hold = createHoldAnswer(roomFor(heaviestAnswer(BYTES)));
  const first = requestOf(0);
  hold(first.c, acme, BYTES);
  const second = requestOf(0);
  expect(() => hold(second.c, acme, BYTES)).toThrow(expect.objectContaining({ code: 'rate_limited' }));
  second.outgoing.emit('close');
  first.outgoing.emit('close');
  const gone = requestOf(0);
  Object.assign(gone.outgoing, { closed: true });
  expect(() => hold(gone.c, acme, BYTES)).toThrow(expect.objectContaining({ code: 'request_timeout' }));
  hold(requestOf(0).c, acme, BYTES);
});
