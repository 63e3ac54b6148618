import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** An address, or a network such as 10.0.0.0/8. */
export const isNetwork = (text: string): boolean => {
  const [address = '', bits] = text.split('/');
  // ipaddr.js reads far more spellings: octal, hexadecimal, short forms.
  return isIP(address) !== 0 && !address.includes('%') && (bits === undefined || ipaddr.isValidCIDR(text));
};

/** Ranges whose addresses are nobody's on the internet. */
const OWN: ReadonlySet<string> = new Set(['private', 'loopback', 'linkLocal', 'carrierGradeNat', 'uniqueLocal']);
const MAPPED_BITS = 96;

/** More than any proxy or CDN publishes as its own: a two hundred and fifty-sixth of all addresses of IPv4; a /16 of IPv6. */
const MAX_SHARE = { ipv4: 2 ** -8, ipv6: 2 ** -16 } as const;

/** Which part of all addresses of its kind a network holds; 0 for one that cannot be reached from the internet. */
const shareOf = (text: string): { kind: 'ipv4' | 'ipv6'; share: number } => {
  const [address = '', bitsText] = text.split('/');
  const parsed = ipaddr.parse(address);
  const given = bitsText === undefined ? null : Number(bitsText);
  if (parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() && (given ?? 128) >= MAPPED_BITS) {
    return shareOf(`${parsed.toIPv4Address().toString()}/${(given ?? 128) - MAPPED_BITS}`);
  }
  const kind = parsed.kind();
  const network = `${address}/${given ?? (kind === 'ipv4' ? 32 : 128)}`;
  const reader = kind === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  const ends = [reader.networkAddressFromCIDR(network), lastAddress(network, kind)].map((end) => end.range());
  const isOwn = ends.every((range) => range === ends[0] && OWN.has(range));
  return { kind, share: isOwn ? 0 : 2 ** -(given ?? (kind === 'ipv4' ? 32 : 128)) };
};

const lastAddress = (network: string, kind: 'ipv4' | 'ipv6') =>
  kind === 'ipv4' ? ipaddr.IPv4.broadcastAddressFromCIDR(network) : ipaddr.IPv6.broadcastAddressFromCIDR(network);

/** Whether so much of the internet is trusted together that a stranger could be in it. */
export const trustStrangers = (networks: readonly string[]): boolean => {
  const shares = networks.map(shareOf);
  return (['ipv4', 'ipv6'] as const).some(
    (kind) => shares.reduce((sum, each) => sum + (each.kind === kind ? each.share : 0), 0) >= MAX_SHARE[kind],
  );
};
