/**
 * Finds a secret that stands in two places, whole or in part: who learns one of them, or reads its log, would hold the other, or
 * nearly so.
 */
import { bitsOfText, decodingsOf } from './guessable/bits.ts';

/** Random secrets do not have so many characters in common. */
const PART = 8;
/** The base64 of a hex text of the same bytes is one secret still. */
const MAX_ENCODINGS = 3;

/**
 * The secret itself and all that it may be the encoding of, in small letters: hex is written in both. Bytes are what their base64
 * may be the encoding of, too: a ring holds hex digits as what base64 makes of them.
 */
const formsOf = (bytes: Buffer, encodings = MAX_ENCODINGS): string[] => {
  const text = bytes.toString('latin1').trim();
  if (encodings === 0) return [text.toLowerCase()];
  const others = /^[\x20-\x7e]*$/.test(text) ? decodingsOf(text) : [Buffer.from(bytes.toString('base64'))];
  return [text.toLowerCase(), ...others.flatMap((each) => formsOf(each, encodings - 1))];
};

const partsOf = (form: string): string[] =>
  Array.from({ length: Math.max(form.length - PART + 1, 0) }, (_, at) => form.slice(at, at + PART));

/** What of a form is in no part that `isShared`. */
const restOf = (form: string, isShared: (part: string) => boolean): string => {
  const shared = new Set<number>();
  for (const [at, part] of partsOf(form).entries()) {
    if (isShared(part)) for (let place = at; place < at + PART; place++) shared.add(place);
  }
  return Array.from(form)
    .filter((_, place) => !shared.has(place))
    .join('');
};

/**
 * The pairs of which one leaves less than `floor` bits of the other to be guessed: the same, one that the other holds, and two
 * that differ in little; as they stand or encoded. Linear in all that is given.
 */
export const sharedSecrets = <Placed extends { bytes: Buffer; floor: number }>(
  secrets: readonly Placed[],
): [first: Placed, later: Placed][] => {
  const forms = secrets.map(({ bytes }) => [...new Set(formsOf(bytes))]);
  // Two of each are enough to know one that is not oneself.
  const owners = new Map<string, number[]>();
  for (const [owner, ofOwner] of forms.entries()) {
    for (const part of ofOwner.flatMap(partsOf)) {
      const known = owners.get(part) ?? [];
      if (known.length < 2 && !known.includes(owner)) owners.set(part, [...known, owner]);
    }
  }
  const found = new Map<string, [Placed, Placed]>();
  for (const [index, secret] of secrets.entries()) {
    const otherOf = (part: string): number | undefined => owners.get(part)?.find((owner) => owner !== index);
    for (const form of forms[index] ?? []) {
      const other = partsOf(form)
        .map(otherOf)
        .find((owner) => owner !== undefined);
      const partner = other === undefined ? undefined : secrets[other];
      if (other === undefined || partner === undefined) continue;
      if (bitsOfText(restOf(form, (part) => otherOf(part) !== undefined)) >= secret.floor) continue;
      const pair: [Placed, Placed] = index < other ? [secret, partner] : [partner, secret];
      found.set(`${Math.min(index, other)} ${Math.max(index, other)}`, pair);
      break;
    }
  }
  return [...found.values()];
};
