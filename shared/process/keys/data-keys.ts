import type { Log } from '../../domain/log.ts';
import { localDataKeys } from '../../keys/encryption/keyring.ts';
import type { DataKeys } from '../../keys/encryption/seal.ts';
import type { KeyEncryption } from '../config/key-settings.ts';
import type { Lifecycle } from '../lifecycle.ts';

/** The keys under which this process seals and opens, as it is configured. Asks nobody before their first use. */
export const openDataKeys = async (
  keyEncryption: KeyEncryption,
  { lifecycle, log }: { lifecycle: Lifecycle; log: Log },
): Promise<DataKeys> => {
  if (keyEncryption.kind === 'keyring') return localDataKeys(keyEncryption.keyring);
  // Not at the top: an API process without KMS needs none of the AWS SDK.
  const { createKmsDataKeys } = await import('../../keys/encryption/kms.ts');
  const kms = createKmsDataKeys({ ...keyEncryption.kms, elapsed: () => performance.now(), log });
  lifecycle.onStop('key service', kms.close);
  return kms;
};
