/**
 * The one connector for URLs that tenants give. It resolves a name once, judges every address of it, and connects to an address that it judged:
 * checking first and letting a client resolve again would fall to a name that changes between the two (DNS rebinding).
 */
import { once } from 'node:events';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Log } from '../../shared/domain/log.ts';
import type { DeliveryFailure } from '../../shared/domain/webhooks/delivery-outcome.ts';
import { isReachableAddress, isSameAddress } from '../../shared/domain/webhooks/public-address.ts';
import { parseWebhookUrl } from '../../shared/domain/webhooks/webhook-url.ts';
import type { Network } from './network.ts';
import { type Limit, limitTime } from './time-limit.ts';

type Connected =
  /** Nothing was sent on the socket but the TLS handshake. */
  { ok: true; socket: Socket; url: URL } | { ok: false; code: DeliveryFailure };

/** A connection to a checked address, TLS done where the URL says https. The signal ends every wait; a connection not given out is closed. */
export type EgressGuard = (url: string, signal: AbortSignal) => Promise<Connected>;

/** A name may have thousands of addresses: no reason to knock at all of them. */
const MOST_DIALS = 8;

type GuardNeeds = { allowPrivate: boolean; network: Network; connectLimitMs: number; log: Pick<Log, 'warn'> };

export const createEgressGuard = ({ allowPrivate, network, connectLimitMs, log }: GuardNeeds): EgressGuard => {
  const refuse = (code: DeliveryFailure): { ok: false; code: DeliveryFailure } => ({ ok: false, code });

  const open = async (text: string, limit: Limit): Promise<Connected> => {
    const parsed = parseWebhookUrl(text, { allowPrivate });
    if (!parsed.ok) return refuse('address_refused');
    const { url, host } = parsed;
    const isSecure = url.protocol === 'https:';
    const port = url.port === '' ? (isSecure ? 443 : 80) : Number(url.port);

    // An address goes the same road: written in a URL it is judged like one that a name led to.
    const addresses = isIP(host) === 0 ? await resolve(host, limit) : [host];
    if (addresses.length === 0) return refuse('dns_failed');
    // One bad address spoils all: a name that mixes them is no honest one.
    if (!addresses.every((address) => isReachableAddress(address, { allowPrivate }))) {
      if (isIP(host) !== 0) return refuse('address_refused');
      // Told as if it had none: a tenant must not learn which names the network around us knows.
      log.warn('webhook_address_refused', { host });
      return refuse('dns_failed');
    }

    const dialled = await dialInTurn(addresses.slice(0, MOST_DIALS), port, limit);
    if ('code' in dialled) return refuse(dialled.code);
    const { socket, address } = dialled;
    const peer = socket.remoteAddress;
    if (peer === undefined) {
      socket.destroy();
      return refuse('reset');
    }
    if (!isSameAddress(peer, address)) {
      socket.destroy();
      return refuse('address_refused');
    }
    if (!isSecure) return { ok: true, socket, url };
    const secured = await secure(socket, host, limit);
    return 'code' in secured ? refuse(secured.code) : { ok: true, socket: secured, url };
  };

  const resolve = async (name: string, { signal }: Limit): Promise<readonly string[]> => {
    const ended = Promise.withResolvers<readonly string[]>();
    const giveUp = () => ended.resolve([]);
    signal.addEventListener('abort', giveUp);
    if (signal.aborted) giveUp();
    return Promise.race([network.resolve(name), ended.promise]).catch(() => []);
  };

  /** Each address gets an equal share of the time that is left, so that one that swallows packets does not hide the others. */
  const dialInTurn = async (
    addresses: readonly string[],
    port: number,
    limit: Limit,
  ): Promise<{ socket: Socket; address: string } | { code: DeliveryFailure }> => {
    let code: DeliveryFailure = 'connect_timeout';
    for (const [index, address] of addresses.entries()) {
      if (limit.signal.aborted) break;
      const share = limitTime(limit.leftMs() / (addresses.length - index), limit.signal);
      const socket = network.dial(address, port);
      // The last listener is never taken away: an error without one would end the process.
      socket.on('error', () => {});
      try {
        await once(socket, 'connect', { signal: share.signal });
        return { socket, address };
      } catch {
        socket.destroy();
        code = share.signal.aborted ? 'connect_timeout' : 'connect_failed';
      } finally {
        share.end();
      }
    }
    return { code };
  };

  const secure = async (
    socket: Socket,
    host: string,
    { signal }: Limit,
  ): Promise<TLSSocket | { code: DeliveryFailure }> => {
    const secured = connectTls({
      socket,
      // The certificate must be for it.
      host,
      // RFC 6066 allows only names here.
      ...(isIP(host) === 0 && { servername: host }),
      ALPNProtocols: ['http/1.1'],
      // Said aloud: NODE_TLS_REJECT_UNAUTHORIZED=0 would turn the default off.
      rejectUnauthorized: true,
      ...(network.trust !== null && { ca: network.trust }),
    });
    secured.on('error', () => {});
    try {
      await once(secured, 'secureConnect', { signal });
      return secured;
    } catch (error) {
      secured.destroy();
      socket.destroy();
      if (signal.aborted) return { code: 'connect_timeout' };
      // `once` rejects with what the socket emitted, and Node's errors carry a code.
      return { code: (error as NodeJS.ErrnoException).code === 'ECONNRESET' ? 'reset' : 'tls_failed' };
    }
  };

  return async (url, signal) => {
    const limit = limitTime(connectLimitMs, signal);
    try {
      return await open(url, limit);
    } finally {
      limit.end();
    }
  };
};
