/** What not every provider takes of a request, each by the name that refusals, warnings and the reference have for it. */
import {
  CACHE_MARKS,
  EFFORTS,
  type Effort,
  FILE_MEDIA_TYPES,
  type FileMediaType,
  IMAGE_SOURCES,
  PLAIN_FIELDS,
  type PlainField,
  SERVICE_TIERS,
  type ServiceTier,
  STRUCTURED_FORMATS,
  type Takes,
  TOOL_CHOICES,
} from './takes.ts';

type Listed<Field extends string, Value extends string> = `${Field}: ${Value}`;

export type Feature =
  | PlainField
  | 'n'
  | 'logprobs'
  | 'user'
  | Listed<'service_tier', ServiceTier>
  | Listed<'response_format', (typeof STRUCTURED_FORMATS)[number]>
  | 'response_format: description'
  | Listed<'reasoning.effort', Effort>
  | 'reasoning.budget_tokens'
  | 'reasoning_details'
  | Listed<'image_url', (typeof IMAGE_SOURCES)[number]>
  | 'image_url: detail'
  | Listed<'file', FileMediaType>
  | Listed<'tool_choice', (typeof TOOL_CHOICES)[number]>
  | 'tools: strict'
  | 'parallel_tool_calls: false'
  | 'tool_calls without tools'
  | 'tool_calls: signature'
  | 'is_error: true'
  | 'images and files in results of tools'
  | Listed<'cache_control', (typeof CACHE_MARKS)[number]>;

const listed = <Field extends string, Value extends string>(
  field: Field,
  values: readonly Value[],
  taken: readonly Value[],
): Record<Listed<Field, Value>, boolean> =>
  // A cast because Object.fromEntries forgets which keys it was given.
  Object.fromEntries(values.map((value) => [`${field}: ${value}`, taken.includes(value)])) as Record<
    Listed<Field, Value>,
    boolean
  >;

const plain = (takes: Takes): Record<PlainField, boolean> =>
  // A cast, likewise.
  Object.fromEntries(PLAIN_FIELDS.map((name) => [name, takes[name] ?? false])) as Record<PlainField, boolean>;

/** Whether a provider takes each; in the order of the reference. */
export const featuresOf = (takes: Takes): Readonly<Record<Feature, boolean>> => ({
  ...listed('image_url', IMAGE_SOURCES, takes.image),
  'image_url: detail': takes.image_detail,
  ...listed('file', FILE_MEDIA_TYPES, takes.file),
  ...listed('tool_choice', TOOL_CHOICES, takes.tool_choice),
  'tools: strict': takes.tool_strict,
  'parallel_tool_calls: false': takes.sequential_tool_calls,
  'tool_calls without tools': takes.calls_without_tools,
  'tool_calls: signature': takes.call_signature,
  'is_error: true': takes.tool_error,
  'images and files in results of tools': takes.tool_media,
  ...listed('response_format', STRUCTURED_FORMATS, takes.response_format),
  'response_format: description': takes.schema_description,
  ...listed('reasoning.effort', EFFORTS, takes.reasoning_effort),
  'reasoning.budget_tokens': takes.reasoning_budget,
  reasoning_details: takes.reasoning_details,
  ...listed('cache_control', CACHE_MARKS, takes.cache_control),
  n: takes.n,
  logprobs: takes.logprobs,
  ...plain(takes),
  ...listed('service_tier', SERVICE_TIERS, takes.service_tier),
  user: takes.user !== null,
});
