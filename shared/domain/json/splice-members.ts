import type { Member, Members } from './members.ts';
import { CLOSE_OBJECT } from './scanner.ts';

/** A member's new value as JSON, or null to take it out. */
export type Splices = Readonly<Record<string, string | null>>;

/** The same body with some members changed, taken out or added at its end; every other byte stays. */
export const spliceMembers = (bytes: Buffer, members: Members, splices: Splices): Buffer => {
  const ordered = [...members.values()];
  const wish = ({ name }: Member): string | null | undefined =>
    Object.hasOwn(splices, name) ? splices[name] : undefined;
  const pieces: Buffer[] = [];
  let isFirst = true;
  // What stands before a member, a comma among it, goes with it; before the first there is none.
  let from = 0;
  for (const [index, member] of ordered.entries()) {
    const before = bytes.subarray(from, member.start);
    from = member.valueEnd;
    const json = wish(member);
    if (index === 0) pieces.push(before);
    if (json === null) continue;
    if (index > 0) pieces.push(isFirst ? Buffer.alloc(0) : before);
    pieces.push(bytes.subarray(member.start, member.valueStart));
    pieces.push(json === undefined ? bytes.subarray(member.valueStart, member.valueEnd) : Buffer.from(json));
    isFirst = false;
  }
  const end = ordered.length > 0 ? from : bytes.lastIndexOf(CLOSE_OBJECT);
  if (ordered.length === 0) pieces.push(bytes.subarray(0, end));
  const added = Object.entries(splices).filter(([name, json]) => json !== null && !members.has(name));
  const text = added.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',');
  if (text !== '') pieces.push(Buffer.from(isFirst ? text : `,${text}`));
  pieces.push(bytes.subarray(end));
  return Buffer.concat(pieces);
};
