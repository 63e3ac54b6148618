/** Who sent a request and how, as far as proxies that we trust can say. Anybody else's `X-Forwarded-…` is whatever its sender wrote. */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export type ClientAddress = {
  /** The last address on the request's way that is not a trusted proxy's. */
  addressOf: (request: IncomingMessage) => string;
  /** Whether a trusted proxy says that the request came over HTTPS all the way to it. */
  cameOverHttps: (request: IncomingMessage) => boolean;
};

/** `trustedProxies`: addresses and networks in CIDR notation. */
export const createClientAddress = ({ trustedProxies }: { trustedProxies: readonly string[] }): ClientAddress => {
  const networks = trustedProxies.map(networkOf);
  const isTrusted = (address: string): boolean => {
    if (isIP(address) === 0) return false;
    // An IPv4 address in the form of IPv6, as a socket that listens on both shows it, is that address.
    const parsed = ipaddr.process(address);
    return networks.some(([base, bits]) => base.kind() === parsed.kind() && parsed.match(base, bits));
  };
  const socketOf = (request: IncomingMessage): string => request.socket.remoteAddress ?? 'unknown';

  return {
    addressOf: (request) => {
      let address = socketOf(request);
      // Each proxy adds at the end whom it heard from: read backwards, up to the first that is not ours.
      for (const hop of listIn(request, 'x-forwarded-for').toReversed()) {
        const before = withoutPort(hop);
        if (!isTrusted(address) || before === null) break;
        address = before;
      }
      return address;
    },
    cameOverHttps: (request) => {
      const schemes = listIn(request, 'x-forwarded-proto');
      return isTrusted(socketOf(request)) && schemes.length > 0 && schemes.every((scheme) => scheme === 'https');
    },
  };
};

const networkOf = (text: string): [base: ipaddr.IPv4 | ipaddr.IPv6, bits: number] => {
  if (text.includes('/')) return ipaddr.parseCIDR(text);
  const address = ipaddr.parse(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
};

const listIn = ({ headers }: IncomingMessage, name: string): string[] => {
  const value = headers[name];
  const text = typeof value === 'string' ? value : (value ?? []).join(',');
  return text === '' ? [] : text.split(',').map((part) => part.trim().toLowerCase());
};

/** Some proxies write the port along: `192.0.2.1:50000`, `[2001:db8::1]:50000`. Null for what is no address. */
const withoutPort = (hop: string): string | null => {
  const [, bracketed, dotted] = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d+)?$/.exec(hop) ?? [];
  const address = bracketed ?? dotted ?? hop;
  return isIP(address) === 0 ? null : address;
};
