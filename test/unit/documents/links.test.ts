/** Every link between documents, and from them into the repository, leads somewhere. */
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { DOCUMENTS, ROOT, read, withoutCode } from '../../support/documents.ts';

/** The anchors that GitHub gives to the headings of a document. */
const anchorsOf = (path: string): string[] =>
  [...withoutCode(read(path)).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );

/** The links of a document that name no other host: the path from the root, and the anchor there. */
const linksOf = (path: string): { target: string; anchor: string | undefined }[] =>
  [...withoutCode(read(path)).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].map(([, to = '', anchor]) => ({
    target: to === '' ? path : normalize(join(dirname(path), to)),
    anchor,
  }));

const PAGES = [...DOCUMENTS, 'CHANGELOG.md'];

test.each(PAGES)('every link of %s leads somewhere inside this repository', (page) => {
  for (const { target, anchor } of linksOf(page)) {
    expect(target).not.toMatch(/^\.\./);
    expect(existsSync(join(ROOT, target)), target).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(target), target).toContain(anchor);
  }
});

test('the README leads to every document', () => {
  const led = linksOf('README.md').map(({ target }) => target);
  expect(DOCUMENTS.filter((path) => path !== 'README.md' && !led.includes(path))).toEqual([]);
});

test('they stand alone: no place outside this repository but in links, no machine’s own path', () => {
  for (const page of [...PAGES, '.env.example']) {
    expect(read(page).replace(/\]\([^)]*\)/g, ']'), page).not.toMatch(/\.\.\/|\/(?:work|home|root|tmp)\//);
  }
});
