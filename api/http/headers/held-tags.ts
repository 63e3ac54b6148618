/**
 * The tags in `If-None-Match`, as a client got them from us or from a proxy that rewrote them.
 * Our tags hold word characters and dots only, so whatever follows such a text is a proxy's own: `-gzip`, `;gzip`,
 * `--gzip`, inside the quotes or behind them. `W/` and quotes are left out: the comparison is weak (RFC 9110, 13.1.2).
 */
export const heldTags = (ifNoneMatch: string): readonly string[] =>
  ifNoneMatch.split(',').map((text) => {
    const [, tag = ''] = /^\s*(?:W\/)?[\\"']*(\*|[\w.]+)/i.exec(text) ?? [];
    return tag;
  });
