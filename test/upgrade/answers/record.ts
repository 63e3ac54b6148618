/**
 * `npm run record -- COMMIT`: the answers of a release, and its OpenAPI document, in a folder beside this file.
 * Two runs of it are compared: what they do not agree on stands for any value of its type.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Document } from '../../../api/operations/openapi/form.ts';
import { unpackRelease } from '../release.ts';
import { agreed, createNames, cursorsIn, type Exchange, type RecordedAnswer, withoutChance } from './exchange.ts';
import { openStage, type SentRequest, send } from './stage.ts';
import { tour } from './tour.ts';

const readDocument = async (url: string): Promise<Document> =>
  (await (await fetch(`${url}/openapi.json`)).json()) as Document;

/** The headers of an answer that the document promises. */
const promisedOf = (document: Document, call: string, { status, headers }: RecordedAnswer): Record<string, string> => {
  const [method = '', path = ''] = call.split(' ');
  const promised = document.paths[path]?.[method.toLowerCase()]?.responses[status]?.headers ?? {};
  const names = ['Content-Type', ...Object.keys(promised)].map((each) => each.toLowerCase());
  return Object.fromEntries(Object.entries(headers).filter(([name]) => names.includes(name)));
};

const recordOnce = async (root: string): Promise<{ exchanges: Exchange[]; document: Document }> => {
  const stage = await openStage({ root });
  try {
    const document = await readDocument(stage.url);
    const exchanges: Exchange[] = [];
    const names = createNames();
    names.name('receiver', stage.receiver.url);
    const keep = (request: SentRequest, answer: RecordedAnswer, waits: boolean): void => {
      // What the request says was named by the answers before it; a day of its own stays one.
      const sent = names.known(request);
      if (answer.headers.etag !== undefined) names.name('etag', answer.headers.etag);
      for (const cursor of cursorsIn(answer.body)) names.name('cursor', cursor);
      const whole = { ...answer, headers: promisedOf(document, request.call, answer) };
      exchanges.push({ ...sent, ...(waits && { waits }), answer: names.all(withoutChance(whole)) });
    };
    const asked = (call: string, path: string, more: object): SentRequest => ({ call, as: 'acme', path, ...more });
    await tour(
      {
        ask: async (call, path, more = {}) => {
          const request = asked(call, path, more);
          const answer = await send(stage, request);
          keep(request, answer, false);
          return answer;
        },
        wait: async (call, path, isLike, more = {}) => {
          const request = asked(call, path, more);
          for (const endMs = Date.now() + 20_000; ; ) {
            const answer = await send(stage, request);
            if (isLike(answer)) {
              keep(request, answer, true);
              return answer;
            }
            if (Date.now() > endMs)
              throw new Error(`${call} ${path}: waited in vain, at last ${JSON.stringify(answer)}`);
            await delay(50);
          }
        },
      },
      stage,
    );
    return { exchanges, document };
  } finally {
    await stage.close();
  }
};

const record = async (commit: string): Promise<void> => {
  const { root, remove } = unpackRelease(commit);
  try {
    const { exchanges: first, document } = await recordOnce(root);
    const { exchanges: second } = await recordOnce(root);
    const folder = join(import.meta.dirname, commit.slice(0, 7));
    mkdirSync(folder, { recursive: true });
    const lines = (agreed(first, second) as Exchange[]).map((each) => JSON.stringify(each));
    writeFileSync(join(folder, 'answers.jsonl'), `${lines.join('\n')}\n`);
    writeFileSync(join(folder, 'openapi.json.gz'), gzipSync(JSON.stringify(document), { level: 9 }));
  } finally {
    remove();
  }
};

await record(process.argv[2] ?? 'HEAD');
