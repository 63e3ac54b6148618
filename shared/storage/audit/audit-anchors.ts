/** The newest seals of the audit log in a file of the operator's: a memory that outlives the process, and that Redis cannot reach. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { ConfigError } from '../../domain/wording/config-error.ts';
import type { Link } from '../../keys/signing/audit-seals.ts';
import type { Chain } from './audit-store.ts';
import { type Anchor, anchorText, parseAnchor } from './verify-chain.ts';

type Mark = Pick<Link, 'number' | 'mac'>;

/** The anchors in a file, one a line; none if there is no file yet. Throws ConfigError for any other line: what the file knew is lost, or it is another file. */
export const readAnchors = (path: string): Anchor[] => {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw new ConfigError([`AUDIT_ANCHOR_FILE names a file that cannot be read (${code}).`]);
  }
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const anchor = parseAnchor(line.trim());
      if (anchor !== null) return anchor;
      throw new ConfigError([
        'AUDIT_ANCHOR_FILE holds a line that is no anchor such as s0:128:…: restore the file, or remove it after npm run audit -- verify.',
      ]);
    });
};

export type AuditAnchors = {
  /** The newest seal that was known of a chain at the start; null if none was. */
  of: (chain: Chain) => Mark | null;
  /** Writes the newest seal of a chain down. A lower number than the file's is not. */
  note: (chain: Chain, mark: Mark) => void;
};

/** Throws ConfigError as `readAnchors` does. Several workers may share a file. */
export const openAnchors = (path: string): AuditAnchors => {
  const highest = (anchors: readonly Anchor[]): Map<Chain, Anchor> => {
    const marks = new Map<Chain, Anchor>();
    for (const anchor of anchors) {
      const other = marks.get(anchor.chain);
      if (other === undefined || other.number < anchor.number) marks.set(anchor.chain, anchor);
    }
    return marks;
  };
  const atStart = highest(readAnchors(path));
  return {
    of: (chain) => atStart.get(chain) ?? null,
    note: (chain, { number, mac }) => {
      const marks = highest([...readAnchors(path), { chain, number, mac }]);
      const aside = `${path}.${process.pid}`;
      writeFileSync(aside, [...marks.values()].map((each) => `${anchorText(each.chain, each)}\n`).join(''), {
        mode: 0o600,
      });
      renameSync(aside, path);
    },
  };
};
