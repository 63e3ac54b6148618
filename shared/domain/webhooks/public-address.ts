/** Which addresses a tenant may make us connect to. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Azure's host agent answers every virtual machine here, with its secrets, although the range is public (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16). */
const AZURE_HOST = '168.63.129.16';

/** What development may reach besides. Link-local stays closed: cloud machines find their credentials there. */
const DEVELOPMENT_RANGES: ReadonlySet<string> = new Set(['loopback', 'private', 'uniqueLocal']);

/**
 * Whether an address is public, or loopback or private where `allowPrivate`. False for whatever is no address in plain notation, one with a zone id included.
 * An IPv6 address that stands for an IPv4 one is never public, whatever that one is.
 */
export const isReachableAddress = (address: string, { allowPrivate }: { allowPrivate: boolean }): boolean => {
  // ipaddr.js reads far more spellings than a resolver gives: octal, hexadecimal, short forms.
  if (isIP(address) === 0 || address.includes('%')) return false;
  const parsed = ipaddr.parse(address);
  const range = parsed.range();
  if (allowPrivate && DEVELOPMENT_RANGES.has(range)) return true;
  if (range !== 'unicast') return false;
  return 'parts' in parsed ? isGlobalIpv6(parsed.parts) : parsed.toString() !== AZURE_HOST;
};

const isGlobalIpv6 = ([first = 0, , , , fifth = 0, sixth = 0]: readonly number[]): boolean => {
  // 2000::/3 is all that was ever given out; ipaddr.js counts the rest as unicast too, ::127.0.0.1 among it.
  const isAllocated = (first & 0xe000) === 0x2000;
  // ISATAP (RFC 5214) puts an IPv4 address behind any prefix.
  const isIsatap = (fifth & 0xfdff) === 0 && sixth === 0x5efe;
  return isAllocated && !isIsatap;
};

/** Whether two texts name one address, however they spell it; false where one of them is none. */
export const isSameAddress = (one: string, other: string): boolean =>
  isIP(one) !== 0 && isIP(other) !== 0 && ipaddr.parse(one).toString() === ipaddr.parse(other).toString();
