/** Chat Completions as the vendors in the table speak them: stricter than some in names of fields, so that the gateway's own are right. */
import { askOf, bearerOf, chatAnswer, readChatRequest } from '../stand-in/chat-completions.ts';
import { chatStreaming } from '../stand-in/chat-stream.ts';
import { type Answer, Refusal, type Reply, type Trouble, type Wire } from '../stand-in/wire.ts';
import { type Vendor, type VendorManifest, vendorOf } from './vendors.ts';

/** The errors of one form: the status that each trouble has, and its body. */
type ErrorForm = {
  badKey: Trouble & { kind: 'status' };
  quota: Trouble & { kind: 'status' };
  body(said: { status: number; message: string; cause: Trouble['kind'] }): object;
};

const status = (number: number, message: string) => ({ kind: 'status' as const, status: number, message });

const GOOGLE_STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

const FORMS = {
  openai: {
    badKey: status(401, 'Invalid API Key'),
    quota: status(402, 'This account has no credit.'),
    body: ({ status: number, message, cause }) => {
      const type = number < 500 ? 'invalid_request_error' : 'internal_server_error';
      return { error: { message, type, ...(cause === 'bad_key' && { code: 'invalid_api_key' }) } };
    },
  },
  google: {
    badKey: status(400, 'API key not valid. Please pass a valid API key.'),
    quota: status(429, 'Your prepayment credits are depleted.'),
    body: ({ status: code, message, cause }) => [
      {
        error: {
          code,
          message,
          status: GOOGLE_STATUSES[code] ?? 'UNKNOWN',
          ...(cause === 'bad_key' && {
            details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }],
          }),
        },
      },
    ],
  },
  mistral: {
    badKey: status(401, 'Unauthorized'),
    quota: status(402, 'This workspace has no credit.'),
    body: ({ status: number, message, cause }) =>
      cause === 'bad_key'
        ? { detail: message }
        : { object: 'error', message, type: 'invalid_request_error', param: null, code: null, raw_status_code: number },
  },
} as const satisfies Record<VendorManifest['errors'], ErrorForm>;

const plain = (trouble: Trouble, { badKey, quota }: ErrorForm) => {
  if (trouble.kind === 'bad_key') return badKey;
  return trouble.kind === 'quota' ? quota : trouble;
};

export const compatibleWire = (vendor: Vendor): Wire => {
  const { formats, seed, errors, takes, listedTiers, streamedUsage } = vendorOf(vendor);
  const { limit: maxTokens } = formats['openai.chat'];
  const form: ErrorForm = FORMS[errors];
  const reply = <T extends object>(number: number, id: string, body: T): Reply & { body: T } => ({
    status: number,
    headers: { 'x-request-id': id },
    body,
  });
  const [tier] = listedTiers;
  const completionOf = (answer: Answer) => ({
    ...chatAnswer(answer),
    ...(tier !== undefined && { service_tier: tier }),
  });
  return {
    provider: vendor,
    path: /^\/chat\/completions$/,
    keyOf: bearerOf,
    readAsk: (body) => {
      const request = readChatRequest(body);
      for (const name of ['max_tokens', 'max_completion_tokens'] as const) {
        if (name !== maxTokens && request[name] != null)
          throw new Refusal(422, `body.${name}: Extra inputs are not permitted`);
      }
      for (const name of ['seed', 'random_seed'] as const) {
        if (name !== seed && request[name] != null)
          throw new Refusal(422, `body.${name}: Extra inputs are not permitted`);
      }
      const last = request.messages.at(-1)?.role;
      if (takes.lastMessage === 'user' && last !== 'user' && last !== 'tool') {
        throw new Refusal(400, 'Expected last role User or Tool (or Assistant with prefix True) for serving.');
      }
      return askOf(request);
    },
    answer: (answer) => reply(200, answer.id, completionOf(answer)),
    streaming: chatStreaming(completionOf, streamedUsage),
    error: (trouble, id) => {
      const { status: number, message } = plain(trouble, form);
      return reply(number, id, form.body({ status: number, message, cause: trouble.kind }));
    },
    demands: {
      ownModels: null,
      limits: [],
      noSuchModel: (model) => new Refusal(404, `The model ${model} does not exist.`),
      temperature: (value, [min, max]) => `temperature: ${value} is not between ${min} and ${max}`,
      maxTokens: (value, max) => `${maxTokens}: ${value} is more than ${max}`,
    },
  };
};
