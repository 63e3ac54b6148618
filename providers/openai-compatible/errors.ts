/** Errors of compatible vendors: the forms that they have, and those whose code or text says more than their status. */
import { z } from 'zod';
import { type ChatError, readChatError } from '../call/chat/chat-completions.ts';
import type { ErrorRow } from '../call/verdict.ts';
import type { Vendor, VendorManifest } from './vendors.ts';

/** Only where a vendor says more than its status does. */
export const VENDOR_ERRORS: Partial<Record<Vendor, readonly ErrorRow[]>> = {
  gemini: [
    // As a 400: https://github.com/cequence-io/openai-scala-client/issues/109
    { code: 'API_KEY_INVALID', verdict: 'credential_refused' },
    // As a 400: https://github.com/FoundationAgents/OpenManus/issues/803
    { text: /^User location is not supported\b/i, verdict: 'network_refused' },
    // As a 429: https://github.com/JeffOtano/roni/pull/125
    { text: /\bcredits are depleted\b/i, verdict: 'quota_exhausted' },
  ],
  mistral: [
    // Of its own load: https://github.com/continuedev/continue/issues/6185, https://github.com/BerriAI/litellm/pull/25078
    { text: /^Service tier capacity exceeded\b/i, verdict: 'overloaded' },
  ],
  groq: [
    // Over a limit of spending, as a 400: https://console.groq.com/docs/spend-limits
    { code: 'blocked_api_access', verdict: 'quota_exhausted' },
    // One request over a whole minute's tokens, as a 413: https://github.com/HunorLaczko/ha-groq-cloud-api/issues/27
    { text: /^Request too large\b/i, verdict: 'request_refused' },
    // As a 498: https://console.groq.com/docs/flex-processing
    { code: 'capacity_exceeded', verdict: 'overloaded' },
  ],
};

/** https://cloud.google.com/apis/design/errors; the compatible endpoint puts it into a list. */
const googleError = z.object({
  error: z.object({
    code: z.int(),
    message: z.string(),
    status: z.string(),
    details: z.array(z.looseObject({ reason: z.string().optional() })).optional(),
  }),
});
const googleForm = z.union([googleError, z.tuple([googleError]).transform(([only]) => only)]);

const readGoogleError = (body: unknown): ChatError | null => {
  const said = googleForm.safeParse(body).data?.error;
  if (said === undefined) return null;
  const reason = said.details?.find((detail) => detail.reason !== undefined)?.reason ?? null;
  return { code: reason, type: said.status, text: said.message, status: said.code };
};

/** What its validation says of each field: https://github.com/editor-code-assistant/eca/issues/231 */
const fieldProblems = z
  .object({ detail: z.array(z.looseObject({ loc: z.array(z.union([z.string(), z.int()])), msg: z.string() })) })
  .transform(({ detail }) => detail.map(({ loc, msg }) => `${loc.join('.')}: ${msg}`).join('; '));

const mistralForm = z.union([
  z.object({
    object: z.literal('error'),
    message: z.union([z.string(), fieldProblems]),
    type: z.string(),
    code: z.union([z.string(), z.int()]).nullish(),
    raw_status_code: z.int().optional(),
  }),
  // Of a key: https://github.com/nextcloud/integration_openai/issues/332, https://github.com/cline/cline/issues/1734
  z
    .union([
      z.object({ detail: z.literal('Unauthorized') }),
      z.object({ message: z.literal('Unauthorized'), request_id: z.string() }),
    ])
    .transform(() => ({ message: 'Unauthorized', type: 'unauthorized', code: null, raw_status_code: 401 })),
]);

const readMistralError = (body: unknown): ChatError | null => {
  const said = mistralForm.safeParse(body).data;
  if (said === undefined) return null;
  return {
    code: said.code == null ? null : String(said.code),
    type: said.type,
    text: said.message,
    status: said.raw_status_code ?? 500,
  };
};

export const ERROR_READERS = {
  openai: (body) => readChatError(body, new Map()),
  google: readGoogleError,
  mistral: readMistralError,
} as const satisfies Record<VendorManifest['errors'], (body: unknown) => ChatError | null>;
