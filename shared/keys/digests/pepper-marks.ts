import { deriveKey } from '../derive-key.ts';
import type { Peppers } from '../encryption/keyring.ts';

/** Stands for one pepper and tells nothing of it: 16 base64url characters. The active one's is the first. */
export type PepperMarks = [active: string, ...older: string[]];

export const pepperMarks = ({ keys: [active, ...older] }: Peppers): PepperMarks => {
  const markOf = ({ key }: typeof active): string =>
    deriveKey(key, 'llm-gateway/pepper-mark/v1').export().toString('base64url').slice(0, 16);
  return [markOf(active), ...older.map(markOf)];
};
