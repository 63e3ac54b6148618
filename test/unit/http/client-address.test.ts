import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { createClientAddress } from '../../../api/http/client-address.ts';

const client = createClientAddress({ trustedProxies: ['10.0.0.0/8', '192.0.2.7', 'fd00::/8'] });

/** A request as far as it is looked at. */
const request = (remoteAddress: string | undefined, headers: Record<string, string> = {}) =>
  ({ socket: { remoteAddress }, headers }) as unknown as IncomingMessage;

test.each<[why: string, socket: string | undefined, forwarded: string | null, address: string]>([
  ['there is no proxy', '203.0.113.5', null, '203.0.113.5'],
  ['a stranger says what he likes', '203.0.113.5', '198.51.100.1', '203.0.113.5'],
  ['a proxy says whom it heard from', '10.1.2.3', '198.51.100.1', '198.51.100.1'],
  ['a proxy on a socket of both families does', '::ffff:10.1.2.3', '198.51.100.1', '198.51.100.1'],
  ['a proxy reached over IPv6 does', 'fd12::1', '2001:db8::5', '2001:db8::5'],
  ['the client wrote something before', '10.1.2.3', '192.0.2.99, 198.51.100.1', '198.51.100.1'],
  ['the client claims to be one of the proxies', '10.1.2.3', '10.9.9.9, 198.51.100.1', '198.51.100.1'],
  ['there are two proxies', '10.1.2.3', '198.51.100.1, 192.0.2.7', '198.51.100.1'],
  ['all are proxies', '10.1.2.3', '10.0.0.9,192.0.2.7', '10.0.0.9'],
  ['a port is written along', '10.1.2.3', '198.51.100.1:40000', '198.51.100.1'],
  ['a port is written along in IPv6', '10.1.2.3', '[2001:db8::5]:40000', '2001:db8::5'],
  ['the proxy writes no address', '10.1.2.3', 'unknown', '10.1.2.3'],
  ['there is nonsense before the proxies', '10.1.2.3', '198.51.100.1, nonsense, 192.0.2.7', '192.0.2.7'],
  ['it is empty', '10.1.2.3', '', '10.1.2.3'],
  ['the connection is gone', undefined, '198.51.100.1', 'unknown'],
])('the client’s address where %s', (_, socket, forwarded, address) => {
  const headers = forwarded === null ? undefined : { 'x-forwarded-for': forwarded };
  expect(client.addressOf(request(socket, headers))).toBe(address);
});

test.each<[came: boolean, why: string, socket: string | undefined, scheme: string | null]>([
  [true, 'a proxy says so', '10.1.2.3', 'https'],
  [true, 'it says so in capitals', '10.1.2.3', 'HTTPS'],
  [true, 'two say so', '10.1.2.3', 'https, https'],
  [false, 'a proxy says http', '10.1.2.3', 'http'],
  [false, 'one of two says http', '10.1.2.3', 'https,http'],
  [false, 'a proxy says nothing', '10.1.2.3', null],
  [false, 'a proxy says an empty word', '10.1.2.3', ''],
  [false, 'a stranger says https', '203.0.113.5', 'https'],
  [false, 'the connection is gone', undefined, 'https'],
])('over HTTPS is %s where %s', (came, _, socket, scheme) => {
  const headers = scheme === null ? undefined : { 'x-forwarded-proto': scheme };
  expect(client.cameOverHttps(request(socket, headers))).toBe(came);
});

test('nobody is trusted who is not named', () => {
  const nobody = createClientAddress({ trustedProxies: [] });
  const asked = request('127.0.0.1', { 'x-forwarded-for': '198.51.100.1', 'x-forwarded-proto': 'https' });
  expect([nobody.addressOf(asked), nobody.cameOverHttps(asked)]).toEqual(['127.0.0.1', false]);
});
