/** Times that fit what stands around: the longest wait, and how long a connection may stay idle. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ workers: 0, env: { MAX_WAIT_SECONDS: '1', IDLE_SECONDS: '2' } });
});
afterAll(() => gateway.stop());

test.each([2, 60, 600])(
  'a wait of %i s is cut to MAX_WAIT_SECONDS, and the answer has the job’s id',
  async (seconds) => {
    const startMs = performance.now();
    const submitted = await gateway.call('POST', '/v1/complete', {
      headers: { Prefer: `wait=${seconds}` },
      body: { messages: [{ role: 'user', content: 'nobody runs it' }] },
    });
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(990);
    expect(submitted.status).toBe(202);
    expect(submitted.headers.get('Preference-Applied')).toBe('wait=1');
    const { id } = submitted.body as { id: string };
    expect(submitted.headers.get('Location')).toBe(`/v1/jobs/${id}`);

    const readMs = performance.now();
    expect((await gateway.call('GET', `/v1/jobs/${id}?wait=${seconds}`)).body).toMatchObject({ id, status: 'queued' });
    expect(performance.now() - readMs).toBeGreaterThanOrEqual(990);
    expect(performance.now() - startMs).toBeLessThan(5_000);
  },
);

test('a wait of more than 600 s is refused, with the limit', async () => {
  const { status, body } = await gateway.call('GET', '/v1/jobs/job_0?wait=601');
  expect(status).toBe(400);
  expect(JSON.stringify(body)).toContain('600');
});

test('a connection that is idle for IDLE_SECONDS is closed, and not before', async () => {
  const { hostname, port } = new URL(gateway.apis[0]?.url ?? '');
  const socket = connect(Number(port), hostname);
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text;
  });
  const ask = (): void => {
    socket.write(`GET /v1/usage HTTP/1.1\r\nHost: gateway.test\r\nX-API-Key: ${KEYS.acme}\r\n\r\n`);
  };
  ask();
  await once(socket, 'data');
  const answeredMs = performance.now();
  // Node tells clients a second less, so that they do not send into a close.
  await once(socket, 'close');
  expect(received).toMatch(/^HTTP\/1\.1 200/);
  expect(performance.now() - answeredMs).toBeGreaterThanOrEqual(1_900);
  expect(performance.now() - answeredMs).toBeLessThan(6_000);
});
