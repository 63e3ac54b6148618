/** Tools that a model may call, its calls of them, and JSON Schemas. */
import { z } from 'zod';
import { isAsWritten, objectAsWritten, WHAT_PARSING_CHANGES } from '../json/as-written.ts';
import { cacheControl } from './content.ts';

export const MAX_TOOLS = 128;

/** By which all providers know a tool, or the form of an answer. */
const toolName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** It goes on as it is, so what parsing would change of it is refused. */
export const jsonSchema = z
  .custom<Record<string, unknown>>(isObject, 'must be an object')
  .refine((schema) => isAsWritten(schema), `holds ${WHAT_PARSING_CHANGES}`)
  .meta({ type: 'object', description: 'A JSON Schema; its members keep their order.' });

export const tool = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name: toolName,
    description: z.string().max(16_384).optional(),
    parameters: jsonSchema.optional(),
    strict: z.boolean().optional(),
  }),
  cache_control: cacheControl,
});
export type Tool = z.infer<typeof tool>;

export const tools = z
  .array(tool)
  .min(1)
  .max(MAX_TOOLS)
  .superRefine((all, context) => {
    const seen = new Set<string>();
    for (const [
      index,
      {
        function: { name },
      },
    ] of all.entries()) {
      if (seen.has(name)) {
        const path = [index, 'function', 'name'];
        context.addIssue({ code: 'custom', message: 'must be different in each tool', path, input: name });
        return;
      }
      seen.add(name);
    }
  });

export const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.strictObject({ type: z.literal('function'), function: z.strictObject({ name: toolName }) }),
]);

export const toolCall = z.strictObject({
  id: z.string().min(1).max(256),
  type: z.literal('function'),
  function: z.strictObject({
    name: z.string().min(1).max(256),
    arguments: z
      .string()
      .refine((text) => objectAsWritten(text) !== null, 'must be a JSON object, as text')
      .describe('A JSON object, as text.'),
  }),
  signature: z.string().optional().describe('Of the provider, as a `result` has it. It goes back unchanged.'),
});
export type ToolCall = z.infer<typeof toolCall>;
