import type { UserManifest } from '../manifest.ts';

export const OPENAI = {
  account: 'user',
  label: 'OpenAI',
  baseUrl: 'https://api.openai.com/v1',
  priceList: 'openai',
  model: 'gpt-4o',
  takes: { temperature: [0, 2], lastMessage: 'any' },
  certainKeys: ['sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{16}', 'sk-[A-Za-z0-9]{40}'],
  keys: {
    form: { begins: ['sk-'] },
    sample: 'sk-user-openai-key',
    samplesBegin: 'sk-user-',
    refused: [
      {
        begins: 'sk-admin-',
        because:
          'is an OpenAI admin key, which cannot call models; create a project key at platform.openai.com/api-keys',
      },
    ],
  },
  formats: {
    'openai.chat': { limit: 'max_completion_tokens' },
    'openai.responses': { limit: 'max_output_tokens' },
  },
  links: {
    keys: 'https://platform.openai.com/api-keys',
    api: 'https://platform.openai.com/docs/api-reference/chat/create',
  },
} as const satisfies UserManifest;
