/** Finds a secret that stands in two places: who learns one of them, or reads its log, would hold the other. */

export type PlacedSecret = { /** As problems name it. */ place: string; bytes: Buffer };

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

/** The places of each pair that holds one secret, as it stands or encoded. */
export const sharedSecrets = (secrets: readonly PlacedSecret[]): [place: string, other: string][] => {
  const owners = new Map<string, string>();
  return secrets.flatMap(({ place, bytes }): [string, string][] => {
    const forms = new Set(formsOf(bytes));
    const first = [...forms].map((form) => owners.get(form)).find((owner) => owner !== undefined);
    for (const form of forms) if (!owners.has(form)) owners.set(form, place);
    return first === undefined ? [] : [[first, place]];
  });
};
