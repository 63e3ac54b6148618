import { describe, expect, test } from 'vitest';
import { holdsKey, withoutKeys } from '../../../shared/keys/key-shapes.ts';
import { createPlatformKeySecrets } from '../../../shared/keys/platform/platform-key.ts';
import { peppersOf, ringText } from './rings.ts';

describe('a text holds a key', () => {
  const tail = 'Qz7Lk2Vw9Xb4Tn8Rj5Hm3Pc6';
  const issued = createPlatformKeySecrets(peppersOf(ringText('p')))
    .issue()
    .text.reveal();
  const keys = [
    `sk-proj-${tail.slice(0, 16)}`,
    `sk-svcacct-${tail}`,
    `sk-admin-${tail}`,
    `sk-ant-api03-${tail}`,
    `sk-ant-oat01-${tail}`,
    `sk-${tail}${tail}`,
    issued,
    `whsec_${tail}`,
    `gsk_${tail}${tail}`,
    `AIza${tail}${tail.slice(0, 11)}`,
    `AQ.${tail}${tail.slice(0, 16)}`,
    'AKIAIOSFODNN7EXAMPLE',
    `ABSK${tail}${tail}`,
  ];
  test.each(keys)('such as %s, wherever it stands in it', (key) => {
    for (const text of [key, `key=${key}`, `"${key}"`, `_${key}_`, `a ${key} b`, `${key}-`])
      expect(holdsKey(text)).toBe(true);
    // What a text is refused for never passes where keys are removed.
    expect(withoutKeys(`Your key is ${key}.`, '…')).not.toContain(key.slice(-12));
  });
  test.each([
    ...[
      '',
      'sk-learn',
      'sk-proj-1',
      'sk-user-openai-key',
      'task-proj-0123456789abcdef',
      'gk_1',
      'whsec_',
      'AKIAIOSFODNN7EXAMPLES',
      'disk-admin-0123456789abcdef',
    ],
    `sk-proj-${tail.slice(0, 15)}`,
    `sk-${tail}`,
    `x${issued}`,
    issued.slice(0, -8),
    issued.toUpperCase(),
  ])('but not in %j', (text) => {
    expect(holdsKey(text)).toBe(false);
  });
});
