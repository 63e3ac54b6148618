/** What each row of the catalogue promises to all who derive something from it. */
import { calcPrice } from '@pydantic/genai-prices';
import { describe, expect, test } from 'vitest';
import {
  manifestOf,
  PROVIDERS,
  sandboxPath,
  USER_PROVIDERS,
  urlVariable,
  userManifestOf,
} from '../../../providers/catalogue.ts';
import type { KeyForm, UserManifest } from '../../../providers/manifest.ts';
import { OPENAI } from '../../../providers/openai/manifest.ts';
import { checkUserKey } from '../../../shared/keys/user/user-key.ts';
import { DOCUMENTS, read, tableOf } from '../../support/documents.ts';

describe.each(PROVIDERS)('%s', (provider) => {
  const manifest = manifestOf(provider);

  test('has a name that headers, variables and paths can hold', () => {
    expect(provider).toMatch(/^[a-z]+$/);
    expect(urlVariable(provider)).toBe(`PROVIDER_${provider.toUpperCase()}_URL`);
    expect(sandboxPath(provider)).toMatch(new RegExp(`^/${provider}(?:/[a-z0-9]+)*$`));
  });

  test('names a price list that has its model', () => {
    const usage = { input_tokens: 1, output_tokens: 1 };
    expect(calcPrice(usage, manifest.model, { providerId: manifest.priceList })?.total_price).toBeGreaterThan(0);
  });

  test('links to pages over HTTPS, as its base URL does', () => {
    for (const link of [...Object.values(manifest.links), ...(manifest.baseUrl ? [manifest.baseUrl] : [])]) {
      expect(new URL(link).protocol).toBe('https:');
      expect(link).not.toMatch(/\/$/);
    }
  });
});

describe.each(USER_PROVIDERS)('a key of %s', (provider) => {
  const { sample, samplesBegin, refused } = userManifestOf(provider).keys;

  test('is taken as its documented sample in the sandbox, and by no other provider', () => {
    expect(sample.startsWith(samplesBegin)).toBe(true);
    for (const sandbox of [true, false]) {
      expect(checkUserKey({ key: sample, provider }, { sandbox })?.provider).toBe(provider);
      for (const other of USER_PROVIDERS.filter((name) => name !== provider)) {
        expect(() => checkUserKey({ key: sample, provider: other }, { sandbox })).toThrow(/key/);
      }
    }
  });

  test('of a kind that cannot call models says what to create instead, whoever is named', () => {
    for (const { begins, because } of refused) {
      for (const named of USER_PROVIDERS) {
        expect(() => checkUserKey({ key: `${begins}0123456789abcdef`, provider: named }, { sandbox: false })).toThrow(
          because,
        );
      }
    }
  });
});

test('a manifest that lacks a field does not compile', () => {
  const { priceList, ...unpriced } = OPENAI;
  const { keys, ...keyless } = OPENAI;
  const { links, ...unlinked } = OPENAI;
  // @ts-expect-error without a price list
  const one: UserManifest = unpriced;
  // @ts-expect-error without the form of its keys
  const two: UserManifest = keyless;
  // @ts-expect-error without links
  const three: UserManifest = unlinked;
  const { n, ...withoutN } = OPENAI.takes;
  // @ts-expect-error without a row of what it takes
  const four: UserManifest = { ...OPENAI, takes: withoutN };
  expect([one, two, three, four].map((row) => Object.keys(row).length)).toEqual([10, 10, 10, 11]);
  expect([priceList, keys, links, n]).not.toContain(undefined);
});

test('the documents list every provider that users bring keys for, with the form of its keys and where they are made', () => {
  const formOf = (form: KeyForm): string =>
    'whole' in form ? form.inWords : form.begins.map((begins) => `\`${begins}…\``).join(' or ');
  // A cell that is code as a whole comes without its marks.
  const bare = (text: string): string => text.replace(/^`([^`]*)`$/, '$1');
  expect(tableOf('provider', 'name', 'its keys', 'made at')).toEqual(
    USER_PROVIDERS.map((name) => {
      const { label, keys, links } = userManifestOf(name);
      return [name, label, bare(formOf(keys.form)), links.keys];
    }),
  );
});

test('what documents list of providers is what the catalogue lists', () => {
  const names = USER_PROVIDERS.map((name) => `\`${name}\``);
  const texts = DOCUMENTS.map(read).join('\n');
  const rows = [/^\| `X-User-Provider` .*$/m, /^\| 400 .*`user_provider_unknown`.*$/m].map(
    (row) => row.exec(texts)?.[0],
  );
  for (const row of rows) {
    expect(row?.match(/`[a-z]+`/g)?.filter((name) => PROVIDERS.some((each) => name === `\`${each}\``))).toEqual(names);
  }
  for (const provider of PROVIDERS) {
    for (const file of ['docs/reference/configuration.md', '.env.example', 'docker-compose.yml']) {
      expect(read(file)).toContain(urlVariable(provider));
    }
  }
});
