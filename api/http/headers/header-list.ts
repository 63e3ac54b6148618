/** The parts of a header's value between separators that stand in no quoted string (RFC 9110, 5.6), without the blanks around them; empty parts are left out. */
export const partsOf = (value: string, separator: ',' | ';'): string[] => {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  const cut = (end: number): void => {
    const part = value.slice(start, end).trim();
    if (part !== '') parts.push(part);
    start = end + 1;
  };
  for (let index = 0; index < value.length; index++) {
    const character = value[index];
    if (character === '"') quoted = !quoted;
    else if (character === '\\' && quoted) index += 1;
    else if (character === separator && !quoted) cut(index);
  }
  cut(value.length);
  return parts;
};

/** A parameter's name in lower case, and its value without quotes; null where it is no `name=value`. */
export const parameterOf = (part: string): { name: string; value: string } | null => {
  const equals = part.indexOf('=');
  if (equals < 1) return null;
  const value = part.slice(equals + 1).trim();
  const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  return {
    name: part.slice(0, equals).trim().toLowerCase(),
    value: isQuoted ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value,
  };
};
