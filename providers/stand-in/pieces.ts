/** The pieces that a streamed text comes in, which together are the text. */

/** Words, each with the space before it. */
export const wordsOf = (text: string): string[] => text.split(/(?= )/).filter((word) => word !== '');

const CHARACTERS = 8;

/** Of what has no words, such as JSON. */
export const shardsOf = (text: string): string[] => text.match(new RegExp(`.{1,${CHARACTERS}}`, 'gsu')) ?? [];
