/** A value that a JSON Schema allows, always the same: what the sandbox calls tools with, and answers in a form with. */

/** Schemas may name themselves, many times over. */
const MAX_DEPTH = 16;
const MAX_VALUES = 1_000;

type Schema = Readonly<Record<string, unknown>>;

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const first = (list: unknown): unknown => (Array.isArray(list) ? list[0] : undefined);

/** What `#/$defs/name` and its like lead to. */
const resolve = (root: unknown, ref: string): unknown =>
  ref
    .split('/')
    .slice(1)
    .reduce<unknown>((inner, name) => (isSchema(inner) ? inner[name] : undefined), root);

const typeOf = ({ type, properties }: Schema): unknown =>
  first(type) ?? type ?? (isSchema(properties) ? 'object' : null);

/** An object has all of its properties, a list one entry, a text the word “sandbox”. */
export const sampleOf = (root: unknown): unknown => {
  let values = 0;
  const ofType = (schema: Schema, depth: number): unknown => {
    const { properties, items, minimum } = schema;
    switch (typeOf(schema)) {
      case 'object': {
        const members = Object.entries(isSchema(properties) ? properties : {});
        return Object.fromEntries(members.map(([name, member]) => [name, sample(member, depth + 1)]));
      }
      case 'array':
        return isSchema(items) ? [sample(items, depth + 1)] : [];
      case 'integer':
      case 'number':
        return typeof minimum === 'number' ? minimum : 1;
      case 'boolean':
        return true;
      case 'null':
        return null;
      default:
        return 'sandbox';
    }
  };
  const sample = (schema: unknown, depth: number): unknown => {
    values += 1;
    if (!isSchema(schema) || depth > MAX_DEPTH || values > MAX_VALUES) return null;
    if ('const' in schema) return schema.const;
    const chosen = first(schema.enum) ?? first(schema.examples);
    if (chosen !== undefined) return chosen;
    if (typeof schema.$ref === 'string') return sample(resolve(root, schema.$ref), depth + 1);
    const form = first(schema.anyOf) ?? first(schema.oneOf) ?? first(schema.allOf);
    return form === undefined ? ofType(schema, depth) : sample(form, depth + 1);
  };
  return sample(root, 0);
};
