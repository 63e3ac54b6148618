/**
 * One text for all texts of JSON that mean the same: blanks, escapes, spellings of numbers and the order of members
 * make no difference. `parsed` comes from the reader of bodies, which bounds its depth.
 */
export const canonicalJson = (parsed: unknown): string => {
  if (Array.isArray(parsed)) return `[${parsed.map(canonicalJson).join(',')}]`;
  if (typeof parsed !== 'object' || parsed === null) return JSON.stringify(parsed);
  const members = Object.entries(parsed).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${canonicalJson(value)}`).join(',')}}`;
};
