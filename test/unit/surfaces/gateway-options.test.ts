/** What stands in headers of a job in a provider's own words is understood as in the body of a native request. */
import { expect, test } from 'vitest';
import type { ApiContext } from '../../../api/http/context.ts';
import { gatewayOptions } from '../../../api/surfaces/foreign/gateway-options.ts';

const metadataOf = (header: Buffer): unknown => {
  const context = {
    req: { header: (name: string) => (name === 'X-Gateway-Metadata' ? header.toString('latin1') : undefined) },
  };
  // Casts because no more of either is asked for.
  return gatewayOptions(context as unknown as ApiContext, {} as Parameters<typeof gatewayOptions>[1]).metadata;
};

test('metadata in UTF-8 and in escapes is the same', () => {
  expect(metadataOf(Buffer.from('{"name":"Zoë 中"}'))).toEqual({ name: 'Zoë 中' });
  expect(metadataOf(Buffer.from('{"name":"Zo\\u00eb \\u4e2d"}'))).toEqual({ name: 'Zoë 中' });
});

test.each([
  ['in Latin-1', Buffer.from('{"name":"Zoë"}', 'latin1')],
  ['with half of a surrogate pair', Buffer.from('{"name":"\\ud800"}')],
  ['that is no object', Buffer.from('["name"]')],
  ['that stands twice', Buffer.from('{"a":"b"}, {"c":"d"}')],
])('metadata %s is refused', (_, header) => {
  expect(() => metadataOf(header)).toThrow(
    expect.objectContaining({ code: 'invalid_header', param: 'X-Gateway-Metadata' }),
  );
});
