/** A TCP proxy on 127.0.0.1 that does to a connection what networks do: slow it down, let it die without a sign, cut it, reset it. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { listen } from './listen.ts';

/**
 * What becomes of bytes that a client sends. `freeze`: nothing passes on this connection any more, in either direction, and it stays open (half-open).
 * `deafen`: these bytes pass and their answer does not; `deafen` and then `cut` is an answer that was lost.
 */
export type Verdict = 'pass' | 'freeze' | 'deafen';

export type ProxiedConnection = {
  /** Everything the client sent, as Latin-1; of a long connection the last 64 KiB. */
  sent: () => string;
  freeze: () => void;
  /** Ends both sides in good order, and with RST where `reset` says so. */
  cut: (options?: { reset: boolean }) => void;
};

export type FaultProxy = {
  port: number;
  /** Those with a side that is open, oldest first. */
  connections: ProxiedConnection[];
  /** How long bytes take on their way, each way. Holds for what arrives from now on. */
  setDelay: (ms: number) => void;
  /** Asked about every piece that a client sends, in the order of arrival; `null` passes all. */
  judge: (rule: ((bytes: string, connection: ProxiedConnection) => Verdict) | null) => void;
  close: () => Promise<void>;
};

const KEPT_BYTES = 65_536;

export const startFaultProxy = async (target: { port: number; host?: string }): Promise<FaultProxy> => {
  const connections: ProxiedConnection[] = [];
  let delayMs = 0;
  let rule: Parameters<FaultProxy['judge']>[0] = null;

  /** The steps of one direction follow each other, whatever becomes of the delay meanwhile. */
  const createLine = (): ((step: () => void) => void) => {
    let last = Promise.resolve();
    return (step) => {
      const at = performance.now() + delayMs;
      last = last.then(async () => {
        if (at > performance.now()) await delay(at - performance.now());
        step();
      });
    };
  };

  const server = createServer((client: Socket) => {
    const upstream = connect(target.port, target.host ?? '127.0.0.1');
    const [there, back] = [createLine(), createLine()];
    const sent: Buffer[] = [];
    let sentBytes = 0;
    let isFrozen = false;
    let isDeaf = false;
    const connection: ProxiedConnection = {
      sent: () => Buffer.concat(sent).toString('latin1').slice(-KEPT_BYTES),
      freeze: () => {
        isFrozen = true;
      },
      cut: ({ reset } = { reset: false }) => {
        for (const socket of [client, upstream]) {
          if (reset) socket.resetAndDestroy();
          else socket.destroy();
        }
      },
    };
    connections.push(connection);

    client.on('data', (bytes) => {
      sent.push(bytes);
      sentBytes += bytes.length;
      while (sentBytes - (sent[0]?.length ?? 0) >= KEPT_BYTES) sentBytes -= sent.shift()?.length ?? 0;
      const verdict = rule?.(bytes.toString('latin1'), connection) ?? 'pass';
      if (verdict === 'freeze') isFrozen = true;
      if (verdict === 'deafen') isDeaf = true;
      if (!isFrozen) there(() => void upstream.write(bytes));
    });
    upstream.on('data', (bytes) => {
      if (!isFrozen && !isDeaf) back(() => void client.write(bytes));
    });
    for (const [one, other, line] of [
      [client, upstream, there],
      [upstream, client, back],
    ] as const) {
      one.setNoDelay(true);
      one.on('error', () => {});
      one.on('close', () => {
        const index = connections.indexOf(connection);
        if (other.closed && index >= 0) connections.splice(index, 1);
        // Of a frozen connection neither side learns that the other has gone.
        if (!isFrozen) line(() => void other.destroy());
      });
    }
  });
  const port = await listen(server);
  return {
    port,
    connections,
    setDelay: (ms) => {
      delayMs = ms;
    },
    judge: (next) => {
      rule = next;
    },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const connection of [...connections]) connection.cut();
      await closed;
    },
  };
};
