/** Values from a JSON schema of the OpenAPI document: as it says, or nearly. */
import fc from 'fast-check';

type Schema = {
  $ref?: string;
  type?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  propertyNames?: Schema;
  items?: Schema;
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
};

const MOST_ITEMS = 4;
const LONGEST_TEXT = 40;

/** What a client may send by mistake or with intent, in the place of anything. */
export const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(
    null,
    '',
    ' ',
    -1,
    0,
    1e308,
    -0,
    1.5,
    2 ** 53,
    [],
    {},
    '\u0000',
    '\ud800',
    '__proto__',
    'constructor',
    '%00',
    '../..',
  ),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constant('x'.repeat(70_000)),
  fc.nat(60).map((depth) => Array.from({ length: depth }).reduce<unknown>((inner) => [inner], 0)),
);

const nearly = (value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 100, arbitrary: value }, { weight: 1, arbitrary: anything });

/** The document cannot say which URLs are taken; one of these is. */
export const WEBHOOK_URL = fc.constantFrom(
  ...Array.from({ length: 10 }, () => 'https://hooks.invalid/a'),
  'https://127.0.0.1/',
  'http://hooks.invalid/',
  'https://u:p@hooks.invalid/',
  'https://[::1]/',
);

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');

/** Nor which images, files and arguments are taken. */
const SPECIAL: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  url: WEBHOOK_URL,
  file_data: fc.constantFrom(
    `data:application/pdf;base64,${base64('%PDF-1.7 /Type /Page')}`,
    `data:text/plain;base64,${base64('Hello.')}`,
    `data:text/csv;base64,${base64('a,b')}`,
    'data:application/pdf;base64,SGVsbG8=',
    'data:text/plain;base64,A',
  ),
  arguments: fc.constantFrom('{}', '{"a":1}', '{"2":1,"1":9007199254740993}', '[]', ''),
};

/** Only with a message of the user is a completion taken. */
const FORM_OF_USER = 8;
const saysUser = ({ properties = {} }: Schema): boolean => properties.role?.const === 'user';

/** Of many fields that may be left out so many are drawn: few requests would be taken otherwise. */
const MOST_OPTIONAL = 5;

const OWN_NAMES = ['__proto__', 'constructor', 'api_key', 'stream', 'n', 'é', ''];

export const createValues = (schemas: Record<string, object>) => {
  // Casts because a schema of the document is of this form.
  const named = new Map<string, fc.Arbitrary<unknown>>();
  const ofName = (name: string): fc.Arbitrary<unknown> => {
    const known = named.get(name) ?? valueFor((schemas[name] ?? {}) as Schema);
    named.set(name, known);
    return known;
  };
  const fieldOf = (name: string, schema: Schema): fc.Arbitrary<unknown> => nearly(SPECIAL[name] ?? valueFor(schema));
  const objectOf = ({
    properties = {},
    required = [],
    additionalProperties,
    propertyNames,
    maxProperties,
  }: Schema): fc.Arbitrary<unknown> => {
    if (Object.keys(properties).length === 0) {
      const values = typeof additionalProperties === 'object' ? valueFor(additionalProperties) : anything;
      const names = propertyNames ? valueFor(propertyNames).map(String) : fc.string({ maxLength: 10 });
      return fc.dictionary(names, values, { maxKeys: Math.min(maxProperties ?? MOST_ITEMS, MOST_ITEMS) });
    }
    const fields = Object.entries(properties).map(([name, schema]) => [name, fieldOf(name, schema)] as const);
    const optional = Object.keys(properties).filter((name) => !required.includes(name));
    const asSaid = fc
      .subarray(optional, { maxLength: Math.min(MOST_OPTIONAL, optional.length) })
      .chain((drawn) =>
        fc.record(Object.fromEntries(fields.filter(([name]) => required.includes(name) || drawn.includes(name)))),
      );
    const withMore = fc
      .tuple(asSaid, fc.constantFrom(...OWN_NAMES), anything)
      .map(([value, name, more]) => ({ ...value, [name]: more }));
    return fc.oneof({ weight: 30, arbitrary: asSaid }, { weight: 1, arbitrary: withMore });
  };
  const textOf = ({ format, pattern, minLength = 0, maxLength = LONGEST_TEXT }: Schema): fc.Arbitrary<unknown> => {
    if (format === 'date') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString().slice(0, 10));
    if (format === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
    if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
    return fc.string({
      minLength,
      maxLength: Math.max(minLength, Math.min(maxLength, LONGEST_TEXT)),
      unit: 'grapheme',
    });
  };
  const plain = (schema: Schema): fc.Arbitrary<unknown> => {
    const { minimum: min, maximum: max } = schema;
    switch (schema.type) {
      case 'object':
        return objectOf(schema);
      case 'array': {
        const minLength = schema.minItems ?? 0;
        return fc.array(valueFor(schema.items ?? {}), {
          minLength,
          maxLength: Math.max(minLength, Math.min(schema.maxItems ?? MOST_ITEMS, MOST_ITEMS)),
        });
      }
      case 'string':
        return textOf(schema);
      case 'boolean':
        return fc.boolean();
      case 'integer':
        return fc.integer({ min: min ?? -1_000, max: max ?? 1_000_000 });
      case 'number':
        return fc.double({ min: min ?? -1e6, max: max ?? 1e6, noNaN: true });
      case 'null':
        return fc.constant(null);
      default:
        return anything;
    }
  };
  const valueFor = (schema: Schema): fc.Arbitrary<unknown> => {
    if (schema.$ref !== undefined) return ofName(schema.$ref.split('/').at(-1) ?? '');
    if (schema.anyOf) return fc.oneof(...schema.anyOf.map(valueFor));
    if (schema.oneOf) {
      return fc.oneof(
        ...schema.oneOf.map((form) => ({ weight: saysUser(form) ? FORM_OF_USER : 1, arbitrary: valueFor(form) })),
      );
    }
    if ('const' in schema) return nearly(fc.constant(schema.const));
    if (schema.enum) return nearly(fc.constantFrom(...schema.enum));
    return nearly(plain(schema));
  };
  return (schema: object): fc.Arbitrary<unknown> => valueFor(schema as Schema);
};
