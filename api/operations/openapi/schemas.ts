/** The schemas of a document: each form once, under its name. */
import { z } from 'zod';
import { completionRequest } from '../../../shared/domain/completion.ts';
import { message } from '../../../shared/domain/conversation/messages.ts';
import { NAMED } from '../../../shared/domain/wire.ts';
import type { Json } from './form.ts';

const nameOf = (form: z.core.$ZodType): string => {
  const { id } = NAMED.get(form) ?? {};
  if (id === undefined) throw new Error('A form that a row names has no name of its own: give it one in NAMED.');
  return id;
};

export const ref = (form: z.core.$ZodType): Json => ({ $ref: `#/components/schemas/${nameOf(form)}` });

/** The forms with a name that a form is made of, then it itself. */
export const formsIn = (form: z.core.$ZodType): z.core.$ZodType[] => {
  const parts =
    form instanceof z.ZodObject ? Object.values(form.shape) : form instanceof z.ZodArray ? [form.element] : [];
  return [...parts.flatMap(formsIn), ...(NAMED.has(form) ? [form] : [])];
};

/** As requests are sent, and as answers are promised: open where our own schemas are not strict, because answers may grow. */
const OPTIONS = {
  io: 'input',
  unrepresentable: 'any',
  override: ({ zodSchema, jsonSchema }) => {
    const { def } = zodSchema._zod;
    // Its entries are checked one by one, for speed, by what stands for a schema of them.
    if (zodSchema === completionRequest.shape.messages) jsonSchema.items = ref(message);
    // A check of our own in front of a schema says nothing in a document; what follows it does.
    if (def.type === 'pipe' && def.in._zod.def.type === 'custom') Object.assign(jsonSchema, toSchema(def.out));
    // Left out where the default is what becomes of a query's text; lists are texts with commas there.
    if (def.type === 'default')
      jsonSchema.default ??= Array.isArray(def.defaultValue) ? def.defaultValue.join(',') : def.defaultValue;
    // The format says the same, readably.
    if (jsonSchema.format === 'date' || jsonSchema.format === 'date-time') delete jsonSchema.pattern;
    if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  },
} satisfies z.core.ToJSONSchemaParams;

const withoutNames = (schema: Json): Json =>
  Object.fromEntries(Object.entries(schema).filter(([name]) => name !== '$schema' && name !== '$id'));

export const toSchema = (schema: z.core.$ZodType): Json => withoutNames(z.toJSONSchema(schema, OPTIONS) as Json);

export const schemasOf = (forms: readonly z.core.$ZodType[]): Record<string, Json> => {
  const registry = z.registry<{ id: string }>();
  for (const [id, [form, other]] of Map.groupBy(new Set(forms), nameOf)) {
    if (other) throw new Error(`Two forms have the name ${id} in NAMED.`);
    if (form) registry.add(form, { id });
  }
  const { schemas } = z.toJSONSchema(registry, { ...OPTIONS, uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, withoutNames(schema as Json)]));
};
