/** Which character leads to which: on a keyboard, and in English. */

const KEYBOARD = ['1234567890-=', 'qwertyuiop[]', "asdfghjkl;'", 'zxcvbnm,./'];
const SHIFTED: Readonly<Record<string, string>> = {
  '!': '1',
  '@': '2',
  '#': '3',
  $: '4',
  '%': '5',
  '^': '6',
  '&': '7',
  '*': '8',
  '(': '9',
  ')': '0',
  _: '-',
  '+': '=',
};

/** More than there are, so that the end of a row does not touch the beginning of the next. */
export const KEYS_A_ROW = 32;

const PLACES = new Map(
  KEYBOARD.flatMap((row, y) => Array.from(row).map((key, x): [string, number] => [key, y * KEYS_A_ROW + x])),
);

/** A key's place, counted along the rows; NaN for what is on none. */
export const keyOf = (character: string): number =>
  PLACES.get(SHIFTED[character] ?? character.toLowerCase()) ?? Number.NaN;

/** Whether two keys touch, or are one. Each row stands half a key to the right of the one above it. */
export const areNeighbours = (one: string, other: string): boolean => {
  const step = Math.abs(keyOf(other) - keyOf(one));
  return step <= 1 || step === KEYS_A_ROW || step === KEYS_A_ROW - 1;
};

/** The eight letters that most often follow each in English: four in five of all that do. */
const FOLLOWERS: Readonly<Record<string, string>> = {
  a: 'ntlrscdi',
  b: 'eloauriy',
  c: 'ohetakil',
  d: 'eiaosurd',
  e: 'rsndaletc',
  f: 'oiretafu',
  g: 'ehraiosl',
  h: 'eaiotrun',
  i: 'nstcolem',
  j: 'uoaeinrt',
  k: 'einsalyo',
  l: 'eliaoyds',
  m: 'eaoipusm',
  n: 'dgtesioa',
  o: 'nrufmtlo',
  p: 'eroalpit',
  q: 'uaiweslt',
  r: 'eaiostyd',
  s: 'tesiohua',
  t: 'hieoarst',
  u: 'rnstlpce',
  v: 'eiaoyusr',
  w: 'aiehonrs',
  x: 'ptiaceuh',
  y: 'oestimla',
  z: 'eaioyzlu',
};

/** Whether English goes on so from one letter to the next; both in small letters. */
export const followsInEnglish = (letter: string, next: string): boolean => FOLLOWERS[letter]?.includes(next) ?? false;
