/** What a JSON schema takes, in words. A form with a name is written `#Name`. */

type Schema = {
  $ref?: string;
  type?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  allOf?: Schema[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  default?: unknown;
};

const NAMES: Record<string, string> = { integer: 'whole number', string: 'text', boolean: 'true or false' };

export const typeText = (schema: object): string => {
  // A cast because a schema of JSON is an object of these and other fields.
  const { default: otherwise, ...form } = schema as Schema;
  return otherwise === undefined ? formText(form) : `${formText(form)}, default ${JSON.stringify(otherwise)}`;
};

const formText = (schema: Schema): string => {
  if (schema.$ref) return `#${schema.$ref.split('/').at(-1)}`;
  if (schema.allOf) return schema.allOf.slice(0, 1).map(typeText).join('');
  if (schema.anyOf) return schema.anyOf.map(typeText).join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(', ');
  if (schema.type === 'array') {
    return `list of ${typeText(schema.items ?? {})}${range(schema.minItems, schema.maxItems, ' entries')}`;
  }
  if (schema.type === 'object') {
    const values = schema.additionalProperties;
    if (typeof values !== 'object') return 'object';
    return `object of ${typeText(values)}${range(undefined, schema.maxProperties, ' pairs')}`;
  }
  if (schema.type === undefined) return 'anything';
  const name = schema.format ?? NAMES[schema.type] ?? schema.type;
  return `${name}${range(schema.minimum, schema.maximum, '')}${range(schema.minLength, schema.maxLength, ' characters')}`;
};

const range = (least: number | undefined, most: number | undefined, unit: string): string => {
  if (least !== undefined && most !== undefined) return ` (${least}–${most}${unit})`;
  if (least !== undefined && least > 0) return ` (${least} or more${unit})`;
  return most === undefined ? '' : ` (at most ${most}${unit})`;
};
