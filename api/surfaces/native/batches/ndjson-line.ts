/** Line breaks of Unicode that JSON lets stand in texts: readers that split at any of them would cut a line in two. */
const LINE_BREAKS = /[\u0085\u2028\u2029]/g;

const escapeCharacter = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A line of `application/x-ndjson`, whose only line break is its end. */
export const ndjsonLine = (value: object): string => `${JSON.stringify(value).replace(LINE_BREAKS, escapeCharacter)}\n`;
