import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Batch, ResultLine } from '../../../shared/domain/batches/schema.ts';
import { line, lines, type TestLine } from '../../support/clients/batches.ts';
import { listen } from '../../support/network/listen.ts';
import { runProgram } from '../../support/processes/command.ts';
import { KEYS, OPENAI_KEY, startGateway, type TestGateway } from '../../support/processes/gateway.ts';

let gateway: TestGateway;
let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-batch-'));
  gateway = await startGateway({ sandbox: { record: { limit: 1_000, keys: 'clear' } } });
});
afterAll(async () => {
  await gateway.stop();
  rmSync(folder, { recursive: true, force: true });
});

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  runProgram('cli/batch.ts', args, {
    cwd: folder,
    env: { GATEWAY_URL: gateway.apis[0]?.url, GATEWAY_API_KEY: KEYS.acme, ...env },
  });
const write = (name: string, sent: readonly TestLine[]): string => {
  writeFileSync(join(folder, name), sent.map((each) => `${JSON.stringify(each)}\n`).join(''));
  return name;
};
const resultsIn = (name: string): ResultLine[] =>
  readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((text) => JSON.parse(text) as ResultLine);

test.concurrent('a file goes up, the batch is followed to its end, and the results come into a file', async () => {
  const file = write('a.ndjson', lines(30));
  const { code, stdout, stderr } = await run(['submit', file, '--wait', '--json', '--output', 'a.out']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/30 results in /) });
  expect(JSON.parse(stdout)).toMatchObject({ status: 'completed', request_counts: { completed: 30 } });
  // No terminal: whole lines, no bar.
  expect(stderr).toMatch(/^completed: 30 of 30$/m);
  expect(stderr).not.toContain('\r');
  expect(new Set(resultsIn('a.out').map(({ custom_id }) => custom_id)).size).toBe(30);
});

test.concurrent('a download that was cut off goes on where it ended, and one that is whole changes nothing', async () => {
  const file = write('b.ndjson', lines(20));
  const { stdout } = await run(['submit', file, '--wait', '--json', '--output', 'b.out']);
  const { id } = JSON.parse(stdout) as Batch;
  const whole = readFileSync(join(folder, 'b.out'));
  for (const cut of [0, 1, 700, whole.length - 1, whole.length]) {
    writeFileSync(join(folder, 'b.out'), whole.subarray(0, cut));
    expect((await run(['results', id, '--output', 'b.out'])).code).toBe(0);
    expect(readFileSync(join(folder, 'b.out')).equals(whole)).toBe(true);
  }
});

test.concurrent.each<[string, (response: ServerResponse) => void]>([
  ['its connection is cut in the middle', (response) => response.destroy()],
  ['it ends in the middle as if it were whole', (response) => response.end()],
])('a download goes on by itself when %s', async (how, leave) => {
  const file = write(`cut ${how}.ndjson`, lines(400));
  const first = `cut ${how}.out`;
  const { stdout } = await run(['submit', file, '--wait', '--json', '--output', first]);
  const { id } = JSON.parse(stdout) as Batch;
  const whole = readFileSync(join(folder, first));
  let cuts = 0;
  // Breaks off two downloads, each after some of its bytes.
  const forward = async (request: IncomingMessage, response: ServerResponse) => {
    const answer = await fetch(`${gateway.apis[0]?.url ?? ''}${request.url ?? ''}`, {
      headers: { 'X-API-Key': KEYS.acme },
    });
    const body = Buffer.from(await answer.arrayBuffer());
    response.writeHead(answer.status, { 'Content-Type': answer.headers.get('Content-Type') ?? '' });
    if (!request.url?.includes('/results') || cuts === 2) return response.end(body);
    cuts += 1;
    return response.write(body.subarray(0, 20_001), () => leave(response));
  };
  const server = createServer((request, response) => void forward(request, response));
  const port = await listen(server);
  const again = `again ${how}.out`;
  const { code, stderr } = await run(['results', id, '--output', again, '--url', `http://127.0.0.1:${port}`]);
  server.close();
  expect({ code, cuts, stderr }).toEqual({ code: 0, cuts: 2, stderr: expect.stringMatching(/^400 results in /) });
  expect(readFileSync(join(folder, again)).equals(whole)).toBe(true);
});

test.concurrent('a batch in which nothing ends says within moments what its next line waits for', async () => {
  const file = write('slow.ndjson', [line('a', 'slow sandbox:delay=5000')]);
  const { code, stderr } = await run(['submit', file, '--wait', '--output', 'slow.out']);
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/0 of 1.*\nwaiting for the lines that run\n/),
  });
});

test.concurrent('the same Idempotency-Key is the same batch; status and cancel show it', async () => {
  const file = write('c.ndjson', [line('slow', 'sandbox:delay=60000')]);
  const submit = ['submit', file, '--json', '--idempotency-key', 'cli-1'];
  const first = JSON.parse((await run(submit)).stdout) as Batch;
  const second = JSON.parse((await run(submit)).stdout) as Batch;
  expect(second.id).toBe(first.id);
  expect((await run(['status', first.id])).stdout).toMatch(new RegExp(`^field .*\nid +${first.id}\n`));
  expect((await run(['cancel', first.id])).code).toBe(0);
  const { stdout } = await run(['results', first.id, '--wait', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ status: 'cancelled' });
});

test.concurrent('what failed is run again as a batch of its own, and a batch without such lines is told so at once', async () => {
  const file = write('e.ndjson', [line('good', 'Hello!'), line('bad', 'sandbox:status=400')]);
  const { stdout } = await run(['submit', file, '--wait', '--json', '--output', 'e.out']);
  const { id } = JSON.parse(stdout) as Batch;
  const retry = await run(['retry', id, '--only', 'failed', '--wait', '--json', '--output', 'f.out']);
  expect(JSON.parse(retry.stdout)).toMatchObject({ parent_id: id, request_counts: { total: 1, failed: 1 } });
  expect(resultsIn('f.out').map(({ custom_id }) => custom_id)).toEqual(['bad']);
  const startMs = performance.now();
  expect(await run(['retry', id, '--only', 'expired'])).toEqual({
    code: 1,
    stdout: '',
    stderr: 'No line of this batch has expired: there is nothing to run again.\n',
  });
  // It is not asked again as if it would pass.
  expect(performance.now() - startMs).toBeLessThan(10_000);
  expect((await run(['retry', id, '--only', 'completed'])).stderr).toMatch(
    /^only\[0\] must be one of failed, expired\.\n$/,
  );
});

test.concurrent('results are not written behind those of another batch', async () => {
  const ids: string[] = [];
  for (const name of ['one', 'two']) {
    const { stdout } = await run([
      'submit',
      write(`${name}.ndjson`, lines(1)),
      '--wait',
      '--json',
      '--output',
      `${name}.out`,
    ]);
    ids.push((JSON.parse(stdout) as Batch).id);
  }
  const before = readFileSync(join(folder, 'two.out'), 'utf8');
  const { code, stderr } = await run(['results', ids[0] ?? '', '--output', 'two.out']);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining('holds results of another batch; name another file'),
  });
  expect(readFileSync(join(folder, 'two.out'), 'utf8')).toBe(before);
});

test.concurrent('a user’s key comes from the environment and goes to its provider', async () => {
  const file = write('d.ndjson', lines(2, { model: 'gpt-4o' }, 'cli-user'));
  const env = { GATEWAY_USER_API_KEY: OPENAI_KEY, GATEWAY_USER_PROVIDER: 'openai' };
  const { code, stdout } = await run(['submit', file, '--wait', '--json', '--output', 'd.out'], env);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ provider: 'openai', credential: 'user' });
  expect(gateway.callsWith('cli-user').map(({ key }) => key)).toEqual([OPENAI_KEY, OPENAI_KEY]);
});

describe('a mistake is explained, with exit code 1:', () => {
  beforeAll(() => writeFileSync(join(folder, 'bad.ndjson'), 'hello\n'));
  test.concurrent.each<[string, string[], RegExp, Record<string, string>?]>([
    ['no file', ['submit', 'nowhere.ndjson'], /^nowhere\.ndjson cannot be read\.\n$/],
    [
      'a bad line',
      ['submit', 'bad.ndjson'],
      /^1 line of this batch is not valid, so nothing was accepted: correct it, or leave it out with --on-invalid skip\.\n {2}line 1: The line is not valid JSON in UTF-8\.\n$/,
    ],
    ['no key', ['status', 'batch_0'], /^Set GATEWAY_API_KEY to your platform key\.\n$/, { GATEWAY_API_KEY: '' }],
    ['a wrong key', ['status', 'batch_0'], /^This platform key is not valid\. .*\n$/, { GATEWAY_API_KEY: 'wrong' }],
    [
      'a key that was copied wrongly',
      ['status', 'batch_0'],
      /^GATEWAY_USER_API_KEY holds a space, a line break or other characters that no key has: copy it again\.\n$/,
      { GATEWAY_USER_API_KEY: `${OPENAI_KEY}\n` },
    ],
    ['no batch', ['status', 'batch_0'], /^No batch of this tenant has this id\.\n$/],
    ['another file', ['results', 'batch_0', '--output', 'bad.ndjson'], /holds something other than results/],
  ])('%s', async (_, args, message, env) => {
    const { code, stdout, stderr } = await run(args, env);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });
});
