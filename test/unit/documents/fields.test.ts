/** The reference of what each provider takes is that of the manifests; `vitest -u` writes it anew. */
import { expect, test } from 'vitest';
import { fieldsDocument } from '../../support/fields-document.ts';

test('the reference has every field and every provider, as the manifests say it', async () => {
  await expect(fieldsDocument()).toMatchFileSnapshot('../../../docs/reference/fields.md');
});
