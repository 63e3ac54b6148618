/** A value that a JSON Schema allows, always the same: what the sandbox calls tools with, and answers in a form with. */

const MAX_DEPTH = 16;

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

const ofType = (schema: Schema, root: unknown, depth: number): unknown => {
  const { type, properties, items, minimum } = schema;
  switch (Array.isArray(type) ? type[0] : (type ?? (isSchema(properties) ? 'object' : 'string'))) {
    case 'object':
      return Object.fromEntries(
        Object.entries(isSchema(properties) ? properties : {}).map(([name, member]) => [
          name,
          sample(member, root, depth + 1),
        ]),
      );
    case 'array':
      return isSchema(items) ? [sample(items, root, depth + 1)] : [];
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

const sample = (schema: unknown, root: unknown, depth: number): unknown => {
  if (!isSchema(schema) || depth > MAX_DEPTH) return null;
  if ('const' in schema) return schema.const;
  const chosen = first(schema.enum) ?? first(schema.examples);
  if (chosen !== undefined) return chosen;
  if (typeof schema.$ref === 'string') return sample(resolve(root, schema.$ref), root, depth + 1);
  const form = first(schema.anyOf) ?? first(schema.oneOf) ?? first(schema.allOf);
  return form === undefined ? ofType(schema, root, depth) : sample(form, root, depth + 1);
};

/** An object has all of its properties, a list one entry, a text the word “sandbox”. */
export const sampleOf = (schema: unknown): unknown => sample(schema, schema, 0);
