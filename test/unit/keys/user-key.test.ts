import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RequestError, type RequestErrorCode } from '../../../shared/domain/errors.ts';
import { checkUserKey } from '../../../shared/keys/user/user-key.ts';

type Given = { key: string | undefined; provider: string | undefined };

const check = (key: string | undefined, provider: string | undefined, sandbox = false) =>
  checkUserKey({ key, provider }, { sandbox });

const refusal = ({ key, provider }: Given, sandbox = false): RequestError => {
  try {
    check(key, provider, sandbox);
  } catch (error) {
    if (error instanceof RequestError) return error;
    throw error;
  }
  throw new Error('was taken');
};

const TAIL = 'Qz7Lk2Vw9Xb4Tn8R';
const OPENAI = `sk-proj-${TAIL}`;
const ANTHROPIC = `sk-ant-api03-${TAIL}`;

test('without either header there is no user credential', () => {
  expect(check(undefined, undefined)).toBeNull();
  expect(check(undefined, undefined, true)).toBeNull();
});

test.each([
  ['openai', OPENAI],
  ['openai', `sk-${TAIL}`],
  ['openai', `sk-svcacct-_-${TAIL}`],
  ['openai', 'sk-user-openai-key'],
  ['openai', 'sk-4567890123456'],
  ['openai', `sk-${'x'.repeat(397)}`],
  ['anthropic', ANTHROPIC],
  ['anthropic', `sk-ant-${TAIL}`],
  ['anthropic', 'sk-ant-user-anthropic-key'],
  ['gemini', `AQ.${TAIL}`],
  ['gemini', `AIza${TAIL}`],
  ['groq', `gsk_${TAIL}`],
  ['mistral', `${TAIL}${TAIL}`],
  // What makes a key one of another kind stands at its beginning.
  ['openai', `sk-proj-sk-admin-${TAIL}`],
  ['openai', `sk-proj-sk-ant-admin-sk-ant-oat01-${TAIL}`],
  ['anthropic', `sk-ant-api03-sk-ant-sid01-sk-ant-admin-${TAIL}`],
])('a well-formed %s key is taken as it is: %s', (provider, key) => {
  const credential = check(key, provider);
  expect(credential?.provider).toBe(provider);
  expect(credential?.key.reveal()).toBe(key);
});

test('a credential shows its key to no printer', () => {
  const credential = check(OPENAI, 'openai');
  expect(inspect(credential, { depth: 9, showHidden: true }) + JSON.stringify(credential)).not.toContain(TAIL);
});

describe('a request that tried to bring a key is never taken for one that did not:', () => {
  const rows: [RequestErrorCode, string, Given][] = [
    ['user_provider_required', 'X-User-Provider', { key: OPENAI, provider: undefined }],
    ['user_provider_required', 'X-User-Provider', { key: OPENAI, provider: '' }],
    ['user_provider_required', 'X-User-Provider', { key: '', provider: undefined }],
    ['user_provider_required', 'X-User-Provider', { key: '', provider: '' }],
    ['user_provider_required', 'X-User-Provider', { key: undefined, provider: '' }],
    ['user_provider_unknown', 'X-User-Provider', { key: OPENAI, provider: 'bedrock' }],
    ['user_provider_unknown', 'X-User-Provider', { key: OPENAI, provider: 'OpenAI' }],
    ['user_provider_unknown', 'X-User-Provider', { key: OPENAI, provider: ' openai' }],
    ['user_provider_unknown', 'X-User-Provider', { key: OPENAI, provider: 'openai, openai' }],
    ['user_provider_unknown', 'X-User-Provider', { key: OPENAI, provider: '__proto__' }],
    ['user_provider_unknown', 'X-User-Provider', { key: undefined, provider: 'cohere' }],
    ['user_key_required', 'X-User-API-Key', { key: undefined, provider: 'openai' }],
    ['user_key_required', 'X-User-API-Key', { key: undefined, provider: 'anthropic' }],
    ['user_key_malformed', 'X-User-API-Key', { key: '', provider: 'openai' }],
    ['user_key_malformed', 'X-User-API-Key', { key: ANTHROPIC, provider: 'openai' }],
    ['user_key_malformed', 'X-User-API-Key', { key: OPENAI, provider: 'anthropic' }],
    ['user_key_malformed', 'X-User-API-Key', { key: `${OPENAI}, ${OPENAI}`, provider: 'openai' }],
    ['user_key_malformed', 'X-User-API-Key', { key: 'sk-345678901234', provider: 'openai' }],
    ['user_key_malformed', 'X-User-API-Key', { key: `sk-${'x'.repeat(398)}`, provider: 'openai' }],
    ['user_key_malformed', 'X-User-API-Key', { key: `xx-${TAIL}`, provider: 'openai' }],
    ['user_key_malformed', 'X-User-API-Key', { key: `xx-${OPENAI}`, provider: 'openai' }],
    ['user_key_malformed', 'X-User-API-Key', { key: `xx-${ANTHROPIC}`, provider: 'anthropic' }],
    ['user_key_malformed', 'X-User-API-Key', { key: `SK-${TAIL}`, provider: 'openai' }],
    ['user_key_malformed', 'X-User-API-Key', { key: `Bearer ${OPENAI}`, provider: 'openai' }],
    ['user_key_malformed', 'X-User-API-Key', { key: ` ${OPENAI}`, provider: 'openai' }],
    ['user_key_malformed', 'X-User-API-Key', { key: `${OPENAI}é`, provider: 'openai' }],
  ];
  test.each(rows)('%s for %s: %o', (code, param, given) => {
    for (const sandbox of [false, true]) {
      const error = refusal(given, sandbox);
      expect(error.code).toBe(code);
      expect(error.param).toBe(param);
    }
  });
});

test('no control or other foreign character passes, at any place of a key', () => {
  for (let code = 0; code < 0x180; code++) {
    const character = String.fromCharCode(code);
    if (/[A-Za-z0-9_-]/.test(character)) continue;
    for (const key of [`${OPENAI}${character}`, `sk-proj-${character}${TAIL}`, `${character}${OPENAI}`]) {
      expect(refusal({ key, provider: 'openai' }).code).toBe('user_key_malformed');
    }
  }
});

test('an empty key is called empty, and a malformed one is told its form', () => {
  expect(refusal({ key: '', provider: 'openai' }).message).toBe('X-User-API-Key is empty.');
  expect(refusal({ key: 'helloworldhelloworld', provider: 'openai' }, true).message).toMatch(
    /which begins with sk- and .*, such as sk-user-openai-key\.$/,
  );
  expect(refusal({ key: 'xx', provider: 'anthropic' }).message).toMatch(
    /form of an Anthropic key: send exactly one, which begins with sk-ant- and has 16 to 400 .*"_"\.$/,
  );
});

describe('a key that cannot call models is refused with what to create instead:', () => {
  test.each([
    ['openai', `sk-admin-${TAIL}`, /OpenAI admin key.*create a project key/],
    ['anthropic', `sk-ant-admin01-${TAIL}`, /Anthropic admin key.*create an API key/],
    ['anthropic', `sk-ant-oat01-${TAIL}`, /OAuth token.*create an API key/],
    ['anthropic', `sk-ant-ort01-${TAIL}`, /OAuth token.*create an API key/],
    ['anthropic', `sk-ant-sid01-${TAIL}`, /login.*create an API key/],
  ])('%s %s', (provider, key, message) => {
    for (const named of [provider, provider === 'openai' ? 'anthropic' : 'openai']) {
      const error = refusal({ key, provider: named });
      expect(error.code).toBe('user_key_malformed');
      expect(error.message).toMatch(message);
    }
  });
});

test('a key of the other provider is refused by name', () => {
  expect(refusal({ key: ANTHROPIC, provider: 'openai' }).message).toMatch(/form of an Anthropic key.*is openai/);
  expect(refusal({ key: OPENAI, provider: 'anthropic' }).message).toMatch(/form of an OpenAI key.*is anthropic/);
});

test.each([
  ['mistral', OPENAI, /form of an OpenAI key, but X-User-Provider is mistral/],
  ['mistral', `gsk_${TAIL}`, /form of a Groq key/],
  ['mistral', `AIza${TAIL}${TAIL}`, /form of a Google Gemini key/],
  ['mistral', `AQ.${TAIL}`, /form of a Google Gemini key/],
  ['mistral', TAIL, /form of a Mistral key: send exactly one, which has 32 letters and digits\.$/],
  ['mistral', `${TAIL}_${TAIL.slice(1)}`, /form of a Mistral key: send/],
  ['openai', `${TAIL}${TAIL}`, /form of an OpenAI key: send exactly one, which begins with sk-/],
  ['groq', `${TAIL}${TAIL}`, /form of a Groq key: send exactly one, which begins with gsk_/],
  ['gemini', `AQ.${TAIL}.${TAIL}`, /which begins with AQ\. or AIza and has/],
  ['gemini', `sk-ant-admin01-${TAIL}`, /Anthropic admin key/],
])('%s: a key that is certainly another’s, or nobody’s, is refused: %s', (provider, key, message) => {
  expect(refusal({ key, provider }).message).toMatch(message);
});

describe('in sandbox mode', () => {
  test.each([
    ['sk-proj-sk-user-0123456789', 'openai'],
    ['sk-ant-api03-sk-ant-user-0123456789', 'anthropic'],
    ['sk-ant-api03-sk-user-0123456789', 'anthropic'],
  ])('a real key that holds the beginning of a sample is refused: %s', (key, provider) => {
    expect(refusal({ key, provider }, true).message).toContain('looks like a real key');
  });

  test('the documented sample keys are taken', () => {
    expect(check('sk-user-openai-key', 'openai', true)?.key.reveal()).toBe('sk-user-openai-key');
    expect(check('sk-ant-user-anthropic-key', 'anthropic', true)?.provider).toBe('anthropic');
  });

  test.each([
    ['openai', OPENAI],
    ['openai', `sk-admin-${TAIL}`],
    ['openai', ANTHROPIC],
    ['anthropic', ANTHROPIC],
    ['anthropic', OPENAI],
    ['anthropic', `sk-ant-oat01-${TAIL}`],
  ])('a real-looking key is refused, and told why (%s, %s)', (provider, key) => {
    const error = refusal({ key, provider }, true);
    expect(error.code).toBe('user_key_malformed');
    expect(error.message).toContain('this gateway runs in sandbox mode');
    expect(error.message).not.toContain(TAIL.slice(0, 6));
  });

  test('a sample key of the other provider is refused', () => {
    expect(refusal({ key: 'sk-ant-user-anthropic-key', provider: 'openai' }, true).message).toMatch(/Anthropic key/);
    expect(refusal({ key: 'sk-user-openai-key-x', provider: 'anthropic' }, true).message).toMatch(/OpenAI key/);
  });
});

test('no refusal holds any 6 characters of the key', () => {
  const prefix = fc.constantFrom(
    '',
    'sk-',
    'sk-ant-',
    'sk-ant-admin01-',
    'sk-ant-oat01-',
    'sk-ant-sid01-',
    'sk-admin-',
  );
  // Letters and digits in turn, so that no window of it is a word of ours.
  const tail = fc.stringMatching(/^([A-Z][0-9]){6,15}$/);
  const flaw = fc.constantFrom('', '\n', '\0', ' ', ', ', '"', 'é');
  const provider = fc.constantFrom(undefined, '', 'openai', 'anthropic', 'bedrock');
  fc.assert(
    fc.property(prefix, tail, flaw, provider, fc.boolean(), (begins, ends, wrong, named, sandbox) => {
      const key = begins + ends + wrong + ends;
      let error: unknown;
      try {
        check(key, named, sandbox);
      } catch (thrown) {
        error = thrown;
      }
      fc.pre(error !== undefined);
      const said = inspect(error) + JSON.stringify(error);
      // Messages name the public prefixes of keys; the key's own part is what must not show.
      const hidden = ends + wrong + ends;
      for (let at = 0; at + 6 <= hidden.length; at++) expect(said).not.toContain(hidden.slice(at, at + 6));
    }),
    { numRuns: 1_000 },
  );
});

test('a value of a megabyte is judged in a few milliseconds, whatever it is made of', () => {
  const size = 1_000_000;
  const values = ['sk-', 'sk-ant-', '-', 'a', '_-', ' ', 'sk-admin-'].flatMap((piece) => {
    const long = piece.repeat(size / piece.length);
    return [long, `sk-${long}`, `sk-ant-${long}!`];
  });
  for (const key of values) {
    const startMs = performance.now();
    expect(refusal({ key, provider: 'openai' }).code).toBe('user_key_malformed');
    expect(performance.now() - startMs).toBeLessThan(100);
  }
});
