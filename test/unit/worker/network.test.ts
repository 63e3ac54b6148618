import { createSocket, type Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createNetwork } from '../../../worker/deliveries/network.ts';

const A = 1;
const AAAA = 28;

/** A name server on loopback: answers from `records`, says nothing for a question in `silent`, and remembers all questions. */
const startNameServer = async (
  records: Record<string, Partial<Record<number, Buffer[]>>>,
  silent: readonly string[] = [],
): Promise<{ socket: Socket; place: string; questions: string[] }> => {
  const socket = createSocket('udp4');
  const questions: string[] = [];
  socket.on('message', (question, { port, address }) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = question.readUInt8(at); length > 0; length = question.readUInt8(at)) {
      labels.push(question.toString('ascii', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const type = question.readUInt16BE(at + 1);
    const asked = `${labels.join('.')} ${type}`;
    questions.push(asked);
    if (silent.includes(asked)) return;
    const answers = records[labels.join('.').toLowerCase()]?.[type] ?? [];
    const head = Buffer.from(question.subarray(0, 12));
    const isKnown = records[labels.join('.').toLowerCase()] !== undefined;
    head.writeUInt16BE(isKnown ? 0x8180 : 0x8183, 2);
    head.writeUInt16BE(answers.length, 6);
    head.writeUInt32BE(0, 8);
    const rows = answers.map((data) => {
      const row = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length]);
      return Buffer.concat([row, data]);
    });
    socket.send(Buffer.concat([head, question.subarray(12, at + 5), ...rows]), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { socket, place: `127.0.0.1:${socket.address().port}`, questions };
};

const v4 = (text: string): Buffer => Buffer.from(text.split('.').map(Number));
const v6 = (hex: string): Buffer => Buffer.from(hex, 'hex');

describe('the names of tenants are asked of DNS alone:', () => {
  let server: Awaited<ReturnType<typeof startNameServer>>;
  const resolve = (name: string) => createNetwork({ allowPrivate: false, nameServers: [server.place] }).resolve(name);

  beforeEach(async () => {
    server = await startNameServer(
      {
        'both.example.com': {
          [A]: [v4('93.184.216.34'), v4('127.0.0.1')],
          [AAAA]: [v6('26062800022000010248189325c81946')],
        },
        'old.example.com': { [A]: [v4('93.184.216.34')] },
        'half.example.com': { [A]: [v4('93.184.216.34')] },
      },
      ['half.example.com 28'],
    );
  });
  afterEach(() => {
    server.socket.close();
  });

  test('every address of both families is found', async () => {
    expect([...(await resolve('both.example.com'))].sort()).toEqual([
      '127.0.0.1',
      '2606:2800:220:1:248:1893:25c8:1946',
      '93.184.216.34',
    ]);
  });

  test('one family is enough', async () => {
    expect(await resolve('old.example.com')).toEqual(['93.184.216.34']);
  });

  test('a family about which nothing is said in 3 s hides the other no longer', async () => {
    const startedAt = performance.now();
    expect(await resolve('half.example.com')).toEqual(['93.184.216.34']);
    expect(performance.now() - startedAt).toBeLessThan(4_000);
  });

  test('a name that is not known has no address, and no list of domains is tried', async () => {
    expect(await resolve('unknown.example.com')).toEqual([]);
    expect([...new Set(server.questions)].sort()).toEqual(['unknown.example.com 1', 'unknown.example.com 28']);
  });
});

test('in development the machine’s own names are known', async () => {
  expect(await createNetwork({ allowPrivate: true }).resolve('localhost')).toContain('127.0.0.1');
});
