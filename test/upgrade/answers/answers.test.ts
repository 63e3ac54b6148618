/**
 * Today’s clients go on: what an earlier release answered, this one answers too, and more at the
 * most.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Document } from '../../../api/operations/openapi/form.ts';
import { createAnswerCheck } from '../../support/clients/openapi.ts';
import { type Bound, type Exchange, fill, losses, type RecordedAnswer } from './exchange.ts';
import { openStage, type Stage, send } from './stage.ts';

const releases = readdirSync(import.meta.dirname, { withFileTypes: true }).filter((each) => each.isDirectory());

/** Sends a recorded request; one that waits until it is answered alike, for at most 20 s. */
const repeat = async (stage: Stage, recorded: Exchange, bound: Bound) => {
  for (const endMs = Date.now() + 20_000; ; ) {
    const { answer: _, ...request } = recorded;
    const answer = await send(stage, fill(request, bound));
    const tried = new Map(bound);
    const lost = losses(recorded.answer, answer, tried, recorded.call);
    if (lost.length === 0 || !recorded.waits || Date.now() > endMs) {
      for (const [placeholder, value] of tried) bound.set(placeholder, value);
      return { answer, lost };
    }
    await delay(50);
  }
};

describe.each(releases)('of release $name', ({ name }) => {
  const read = (file: string): Buffer => readFileSync(join(import.meta.dirname, name, file));
  const exchanges = read('answers.jsonl')
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Exchange);
  const document = JSON.parse(gunzipSync(read('openapi.json.gz')).toString()) as Document;
  const answered: { call: string; answer: RecordedAnswer; lost: string[] }[] = [];

  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
    const bound: Bound = new Map([['<receiver 1>', stage.receiver.url]]);
    for (const recorded of exchanges) answered.push({ call: recorded.call, ...(await repeat(stage, recorded, bound)) });
  }, 120_000);
  afterAll(() => stage.close());

  test('every call of its document was recorded, and every refusal that is cheap to bring about', () => {
    const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(exchanges.map(({ call }) => call)).toEqual(expect.arrayContaining(calls));
    const codes = exchanges.map(({ answer }) => (answer.body as { error?: { code?: string } } | null)?.error?.code);
    expect(new Set(codes).size).toBeGreaterThan(30);
  });

  test('each answer has every member that it had, of the same type, and equal if it is no id, time or count', () => {
    expect(answered.flatMap(({ lost }) => lost)).toEqual([]);
  });

  test('each answer is one that its document describes', () => {
    const check = createAnswerCheck(document, { isOpen: true });
    const described = answered.filter(({ call }) => {
      const [method = '', path = ''] = call.split(' ');
      return document.paths[path]?.[method.toLowerCase()] !== undefined;
    });
    expect(described.length).toBeGreaterThan(100);
    const wrong = described.map(({ call, answer: { status, headers, body } }) =>
      check(call, { status, headers: new Headers(headers), body }),
    );
    expect(wrong.filter((each) => each !== null)).toEqual([]);
  });
});
