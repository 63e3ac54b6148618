import { expect, test } from 'vitest';
import { type BodyRoom, createBodyRoom, type Sender } from '../../../api/http/body/body-room.ts';

const MIB = 1_048_576;
const FREE = 16_384;
const ROOM = 16 * MIB;
const WHOLE = { memoryBytes: 4 * ROOM, heaviest: MIB };

const refusal = (code: string, message: RegExp): object =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
const enter = (room: BodyRoom, sender: string): ReturnType<BodyRoom['enter']> => room.enter(sender as Sender, 1);
/** A body that fills all that one sender may have. */
const fill = (room: BodyRoom, sender: string): ReturnType<BodyRoom['enter']> => {
  const body = enter(room, sender);
  body.grow(FREE + ROOM);
  return body;
};

test('a sender has 16 MiB for all of its bodies, and again as much once they are through', () => {
  const room = createBodyRoom(WHOLE);
  const bodies = Array.from({ length: 16 }, () => enter(room, 'acme'));
  for (const body of bodies) for (let kib = 0; kib < FREE / 1_024 + 1_024; kib++) body.grow(1_024);
  const another = enter(room, 'acme');
  another.grow(FREE);
  expect(() => another.grow(1)).toThrow(refusal('rate_limited', /16777216 bytes/));
  enter(room, 'beta').grow(FREE + MIB);
  another.leave();
  bodies[0]?.leave();
  enter(room, 'acme').grow(FREE + MIB);
  expect(() => enter(room, 'acme').grow(FREE + 1)).toThrow(refusal('rate_limited', /bytes/));
});

test('all senders have four times that; what is short needs none of it', () => {
  const room = createBodyRoom(WHOLE);
  const bodies = ['a', 'b', 'c', 'd'].map((sender) => fill(room, sender));
  expect(() => enter(room, 'e').grow(FREE + 1)).toThrow(refusal('overloaded', /67108864 bytes/));
  for (const sender of ['a', 'e']) enter(room, sender).grow(FREE);
  for (const body of bodies) body.leave();
  for (const sender of ['e', 'f', 'g', 'h']) fill(room, sender);
});

test('a body of the longest that is allowed finds room, however long that is', () => {
  const room = createBodyRoom({ memoryBytes: MIB, heaviest: 64 * MIB });
  enter(room, 'acme').grow(64 * MIB);
  expect(() => enter(room, 'acme').grow(MIB)).toThrow(refusal('rate_limited', /67108864 bytes/));
});

test('a body that takes more memory than its bytes takes that much room, until it is let go once', () => {
  const room = createBodyRoom(WHOLE);
  const body = room.enter('acme' as Sender, 4);
  body.grow(FREE + 4 * MIB);
  expect(() => enter(room, 'acme').grow(FREE + 1)).toThrow(refusal('rate_limited', /bytes of memory/));
  body.leave();
  body.leave();
  const bodies = ['a', 'b', 'c', 'd'].map((sender) => fill(room, sender));
  expect(() => enter(room, 'e').grow(FREE + 1)).toThrow(refusal('overloaded', /67108864 bytes/));
  for (const each of bodies) each.leave();
});
