/** Finds a secret that stands in two places: who learns one of them, or reads its log, would hold the other. */

/** What is shorter is part of many things. */
const MIN_BYTES = 8;
/** The base64 of a hex text of the same bytes is one secret still. */
const MAX_ENCODINGS = 3;

const ENCODINGS = [
  ['hex', /^(?:[0-9a-f]{2})+$/i],
  ['base64', /^[A-Za-z0-9+/]+={0,2}$/],
  ['base64url', /^[A-Za-z0-9_-]+$/],
] as const;

/** The secret itself and all that it may be the encoding of. */
const formsOf = (bytes: Buffer, encodings = MAX_ENCODINGS): string[] => {
  if (bytes.length < MIN_BYTES) return [];
  const text = bytes.toString('latin1').trim();
  const decoded = ENCODINGS.flatMap(([encoding, form]) => (form.test(text) ? [Buffer.from(text, encoding)] : []));
  const deeper = encodings > 0 ? decoded.flatMap((each) => formsOf(each, encodings - 1)) : [];
  return [Buffer.from(text, 'latin1').toString('base64'), ...deeper];
};

/** The pairs that hold one secret, as it stands or encoded. */
export const sharedSecrets = <Placed extends { bytes: Buffer }>(
  secrets: readonly Placed[],
): [first: Placed, later: Placed][] => {
  const owners = new Map<string, Placed>();
  return secrets.flatMap((later): [Placed, Placed][] => {
    const forms = new Set(formsOf(later.bytes));
    const first = [...forms].map((form) => owners.get(form)).find((owner) => owner !== undefined);
    for (const form of forms) if (!owners.has(form)) owners.set(form, later);
    return first === undefined ? [] : [[first, later]];
  });
};
