/** The text of a document of AWS's, which is JSON with numbers that JavaScript does not keep as objects and big integers. */

const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The SDK's `NumericValue`, which it does not export: the number as it was written. */
const writtenNumber = (value: object): string | null => {
  if (Object.getPrototypeOf(value) === Object.prototype || !('string' in value)) return null;
  return typeof value.string === 'string' && NUMBER.test(value.string) ? value.string : null;
};

/** What came as JSON, as JSON. */
export const documentText = (value: unknown): string => {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(documentText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}:${documentText(member)}`);
  return writtenNumber(value) ?? `{${members.join(',')}}`;
};
