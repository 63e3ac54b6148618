/**
 * What the forms of answers are made of. A form is a schema: its type is what is built, and the
 * OpenAPI document shows it to clients.
 */
import { z } from 'zod';
import { PROVIDERS } from '../../providers/catalogue.ts';

/** The forms that the OpenAPI document has under a name; any other stands within them. */
export const NAMED = z.registry<{ id: string }>();

export const time = z.iso.datetime();
export const count = z.int().min(0);
export const usd = z.number().nullable().meta({ description: 'US dollars; null where no price is known.' });
export const provider = z.enum(PROVIDERS);
export const credential = z.enum(['platform', 'user']).meta({ description: 'Whose account it runs on.' });

/** The names of a table's rows. A cast because Object.keys forgets them. */
export const namesOf = <T extends string>(table: Record<T, unknown>) => z.enum(Object.keys(table) as [T, ...T[]]);

/** A page of a list, newest first. */
export const listOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    object: z.literal('list'),
    data: z.array(item),
    has_more: z.boolean(),
    next_cursor: z.string().nullable().meta({ description: 'What `after` takes for the next page.' }),
  });
export type Page<Item> = z.infer<ReturnType<typeof listOf<z.ZodType<Item>>>>;
