/** What a streamed answer used is told only if it is asked for, whether the client wants to know it or not. */
import { type Members, memberValue, scanMembers } from '../../../shared/domain/json/members.ts';
import { spliceMembers } from '../../../shared/domain/json/splice-members.ts';

const ASKED = 'true';

/** The options with the question in them; null if it is there already, or the options are not to be understood. */
const withQuestion = (body: Buffer, members: Members): string | null => {
  const options = members.get('stream_options');
  if (options === undefined || options.kind === 'null') return `{"include_usage":${ASKED}}`;
  const bytes = body.subarray(options.valueStart, options.valueEnd);
  const scanned = scanMembers(bytes);
  if (!scanned.ok) return null;
  const asked = scanned.members.get('include_usage');
  if (asked !== undefined && memberValue(bytes, asked) === true) return null;
  return spliceMembers(bytes, scanned.members, { include_usage: ASKED }).toString();
};

/** The body with `stream_options.include_usage`; the same, and `added` false, if the client asks itself. */
export const askForUsage = (body: Buffer): { body: Buffer; added: boolean } => {
  const scanned = scanMembers(body);
  const options = scanned.ok ? withQuestion(body, scanned.members) : null;
  if (!scanned.ok || options === null) return { body, added: false };
  return { body: spliceMembers(body, scanned.members, { stream_options: options }), added: true };
};
