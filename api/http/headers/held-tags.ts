/**
 * The tags in `If-None-Match`, as a client got them from us or from a proxy that rewrote them. `W/` and quotes before
 * them are left out: the comparison is weak (RFC 9110, 13.1.2). What a proxy put behind a tag is still there.
 */
export const heldTags = (ifNoneMatch: string): readonly string[] =>
  ifNoneMatch.split(',').map((text) => {
    const [, tag = ''] = /^\s*(?:W\/)?[\\"']*(\*|[\w.]\S*)/i.exec(text) ?? [];
    return tag;
  });

/**
 * Whether a tag that was sent is this one of ours, whatever a proxy put behind it: `-gzip`, `;br`, `_gzip`, `.gz`, `1gzip`.
 * So none of our tags may be the beginning of another one.
 */
export const isHeldTag = (held: string, tag: string): boolean => held === '*' || held.startsWith(tag);
