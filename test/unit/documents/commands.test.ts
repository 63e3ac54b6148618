/** The commands that the documents name are there, as they were promised. */
import { expect, test } from 'vitest';
import { DOCUMENTS, read } from '../../support/documents.ts';

test('the three curl lines stand in the README as they were promised', () => {
  const headers = '-H "Content-Type: application/json" -H "X-API-Key: your-platform-key"';
  const lines = read('README.md').split('\n');
  for (const line of [
    `curl -X POST localhost:4000/v1/complete ${headers} -d '{"messages":[{"role":"user","content":"Hello!"}]}'`,
    `curl -X POST localhost:4000/v1/complete ${headers} -H "X-User-API-Key: sk-user-openai-key" -H "X-User-Provider: openai" -d '{"model":"gpt-4o","messages":[{"role":"user","content":"Hello!"}]}'`,
    'curl localhost:4000/v1/usage -H "X-API-Key: your-platform-key"',
  ]) {
    expect(lines).toContain(line);
  }
});

test('every npm script that they name exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = DOCUMENTS.flatMap((path) =>
    [...read(path).matchAll(/\bp?npm\s+(?:run\s+([\w:-]+)|(start|test))/g)].map(([, run, own]) => run ?? own),
  );
  expect(named.length).toBeGreaterThan(20);
  for (const name of named) expect(Object.keys(scripts)).toContain(name);
});
