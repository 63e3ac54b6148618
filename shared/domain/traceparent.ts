/** W3C trace context (https://www.w3.org/TR/trace-context/, 2021-11-23), version 00: where in a trace a call stands. */
import { randomBytes } from 'node:crypto';

declare const brand: unique symbol;
/** A valid `traceparent` of version 00: `00-<trace id>-<span id>-<flags>`. */
export type Traceparent = string & { readonly [brand]: 'traceparent' };

const FORM = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Null where there is none, or it is not valid: then it counts as absent. Of a later version what version 00 knows is taken. */
export const parseTraceparent = (text: string | undefined): Traceparent | null => {
  const [, version, traceId, spanId, flags = '', more] = FORM.exec(text ?? '') ?? [];
  if (version === undefined || (version === '00' && more !== undefined)) return null;
  const sampled = (Number.parseInt(flags, 16) & 1).toString();
  // A cast because this is where its form was checked.
  return `00-${traceId}-${spanId}-0${sampled}` as Traceparent;
};

/** Whether whoever began the trace wants it to be recorded. */
export const isSampled = (parent: Traceparent): boolean => parent.endsWith('1');

export const traceIdOf = (parent: Traceparent): string => parent.slice(3, 35);
export const spanIdOf = (parent: Traceparent): string => parent.slice(36, 52);

/** A recorded span of its own below `parent`, or the first of a new trace. */
export const childOf = (parent: Traceparent | null): Traceparent =>
  `00-${parent ? traceIdOf(parent) : randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01` as Traceparent;
