/**
 * The records that Redis keeps as hashes, field by field. Every value is text; times are Unix milliseconds, sums of money whole
 * nano-dollars. A field is absent while it says nothing. A name that ends in `:` is followed by what the description begins with.
 */

/** Describes the fields of one record. */
export const record = <const Fields extends Readonly<Record<string, string>>>(fields: Fields): Fields => fields;

type FieldOf<Fields> = {
  [Name in keyof Fields & string]: Name extends `${string}:` ? `${Name}${string}` : Name;
}[keyof Fields & string];
export type RecordOf<Fields> = Readonly<Partial<Record<FieldOf<Fields>, string>>>;

/** Whether a record may have a field of this name. */
export const hasField = (fields: Readonly<Record<string, string>>, field: string): boolean =>
  Object.hasOwn(fields, field) || Object.hasOwn(fields, field.slice(0, field.indexOf(':') + 1));
