/** A page of a list: the query that asks for it, and its form. */
import { z } from 'zod';
import type { Page } from '../../../shared/domain/wire.ts';
import { wholeNumber } from './read-query.ts';

/** The query of every list; `after` is opaque to clients, and one of ours where `isPlace` takes what it stands for. */
export const pageQuery = <Place extends string>(isPlace: (text: string) => text is Place) =>
  z.strictObject({
    limit: wholeNumber(1, 100).default(20),
    after: z
      .string()
      .transform((cursor) => Buffer.from(cursor, 'base64url').toString('latin1'))
      .refine(isPlace, 'must be the next_cursor of an earlier answer')
      .optional(),
  });

/** In a list that is read from a stream of Redis, which refuses to look before its very first place, 0-0. */
export const isStreamPlace = (text: string): text is string => /^(?=.*[1-9])\d{1,16}-\d{1,16}$/.test(text);

/** `next` is where the next page begins; null at the end. */
export const pageJson = <Item>(data: Item[], next: string | null): Page<Item> => ({
  object: 'list',
  data,
  has_more: next !== null,
  next_cursor: next === null ? null : Buffer.from(next, 'latin1').toString('base64url'),
});
