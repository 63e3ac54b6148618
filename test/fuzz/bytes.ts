/** Bytes for a socket: requests that were cut, doubled, flipped or filled with noise, and noise alone. */
import fc from 'fast-check';
import { KEYS } from '../support/processes/gateway.ts';

const HELLO = '{"messages":[{"role":"user","content":"Hello!"}]}';

const whole = (secret: string): string[] => [
  `POST /v1/complete HTTP/1.1\r\nHost: gateway.test\r\nX-API-Key: ${KEYS.acme}\r\nX-User-API-Key: sk-proj-${secret}\r\nX-User-Provider: openai\r\nContent-Type: application/json\r\nContent-Length: ${HELLO.length}\r\n\r\n${HELLO}`,
  `POST /v1/complete HTTP/1.1\r\nHost: gateway.test\r\nX-API-Key: ${secret}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n31\r\n${HELLO}\r\n0\r\n\r\n`,
  `GET /v1/jobs?limit=1 HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Bearer ${secret}\r\n\r\n`,
  `GET /v1/${secret} HTTP/1.1\r\nHost: gateway.test\r\nX-API-Key: ${KEYS.acme}\r\n\r\n`,
];

/** What an HTTP parser takes for more than text. */
const HOOKS = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  '\r\n\r\n',
  'HTTP/1.1',
  'Content-Length: 0\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: websocket\r\nConnection: upgrade\r\n',
  'Host: b\r\n',
  '\xff',
  'A'.repeat(17_000),
];

const mutation = fc.oneof(
  fc.record({
    kind: fc.constant('insert' as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    text: fc.constantFrom(...HOOKS),
  }),
  fc.record({ kind: fc.constant('flip' as const), at: fc.double({ min: 0, max: 1, noNaN: true }), bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.double({ min: 0, max: 1, noNaN: true }), length: fc.nat(40) }),
  fc.record({
    kind: fc.constant('double' as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.nat(200),
  }),
);

const mutate = (bytes: Buffer, change: typeof mutation extends fc.Arbitrary<infer T> ? T : never): Buffer => {
  const at = Math.floor(change.at * bytes.length);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (change.kind) {
    case 'insert':
      return Buffer.concat([before, Buffer.from(change.text, 'latin1'), after]);
    case 'flip': {
      const flipped = Buffer.from(bytes);
      if (at < flipped.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << change.bit);
      return flipped;
    }
    case 'cut':
      return Buffer.concat([before, after.subarray(change.length)]);
    case 'double':
      return Buffer.concat([before, after.subarray(0, change.length), after]);
  }
};

export type FuzzedBytes = { bytes: Buffer; secret: string };

export const createBytes = (drawSecret: fc.Arbitrary<string>): fc.Arbitrary<FuzzedBytes> =>
  drawSecret.chain((secret) =>
    fc
      .oneof(
        {
          weight: 9,
          arbitrary: fc
            .tuple(fc.constantFrom(...whole(secret)), fc.array(mutation, { minLength: 1, maxLength: 4 }))
            .map(([text, changes]) => changes.reduce(mutate, Buffer.from(text, 'latin1'))),
        },
        { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 400 }).map((noise) => Buffer.from(noise)) },
      )
      .map((bytes) => ({ bytes, secret })),
  );
