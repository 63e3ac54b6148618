/** Of all that a request may hold, what a provider takes. It is data: requests are judged by it, and the reference shows it. */

export const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;
export type Effort = (typeof EFFORTS)[number];

export const SERVICE_TIERS = ['auto', 'default', 'flex', 'priority'] as const;
export type ServiceTier = (typeof SERVICE_TIERS)[number];

/** Of all files that some provider reads. */
export const FILE_MEDIA_TYPES = [
  'application/pdf',
  'text/plain',
  'text/csv',
  'text/html',
  'text/markdown',
  'application/msword',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  'application/vnd.ms-excel',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
] as const;
export type FileMediaType = (typeof FILE_MEDIA_TYPES)[number];

export const TOOL_CHOICES = ['none', 'auto', 'required', 'named'] as const;
export const IMAGE_SOURCES = ['data', 'https'] as const;
export const CACHE_MARKS = ['parts', 'tools', 'ttl'] as const;
export const STRUCTURED_FORMATS = ['json_object', 'json_schema'] as const;

/** Fields of a request that go to a provider whole, or not at all. */
export const PLAIN_FIELDS = [
  'seed',
  'logit_bias',
  'frequency_penalty',
  'presence_penalty',
  'prediction',
  'verbosity',
  'top_k',
] as const;
export type PlainField = (typeof PLAIN_FIELDS)[number];

/** A missing row does not compile, but for a plain field, which is not taken without one. What no public source says of a provider is not taken. */
export type Takes = Partial<Record<PlainField, boolean>> & {
  temperature: readonly [min: number, max: number];
  /** The role of the last message: an assistant's begins the answer, or is read as any other. */
  lastMessage: 'user' | 'any';
  /** More than one answer. */
  n: boolean;
  /** `top_logprobs` too. */
  logprobs: boolean;
  /** What a name of a user must match; null if there is no place for one. */
  user: RegExp | null;
  service_tier: readonly ServiceTier[];
  response_format: readonly (typeof STRUCTURED_FORMATS)[number][];
  /** `description` of a JSON Schema. */
  schema_description: boolean;
  reasoning_effort: readonly Effort[];
  reasoning_budget: boolean;
  /** Of earlier answers. */
  reasoning_details: boolean;
  image: readonly (typeof IMAGE_SOURCES)[number][];
  image_detail: boolean;
  file: readonly FileMediaType[];
  tool_choice: readonly (typeof TOOL_CHOICES)[number][];
  /** `strict` of a tool. */
  tool_strict: boolean;
  /** `parallel_tool_calls: false`. */
  sequential_tool_calls: boolean;
  /** Calls of earlier answers in a request without `tools`. */
  calls_without_tools: boolean;
  /** Arguments as the text that they are, or only as what parsing keeps of them. */
  arguments: 'text' | 'parsed';
  /** `signature` of a tool call. */
  call_signature: boolean;
  /** `is_error` of a tool's result. */
  tool_error: boolean;
  /** Images and files in a tool's result. */
  tool_media: boolean;
  cache_control: readonly (typeof CACHE_MARKS)[number][];
};

/** Tokens that an image counts, of the models that match: `cap`, or less by its size if `pixelsAToken` tells how. Rows are read in order. */
export type ImageTokens = {
  models: RegExp;
  cap: number;
  /** `null`: by its size nothing is sure. `edge`: pixels that count beside each side, because patches are counted whole. */
  size: { pixelsAToken: number; edge: number } | null;
};
