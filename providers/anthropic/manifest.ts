import type { UserManifest } from '../manifest.ts';

const INSTEAD = 'create an API key in the Anthropic Console, under API keys';
const OAUTH = `is an Anthropic OAuth token, which belongs to one login; ${INSTEAD}`;

export const ANTHROPIC = {
  account: 'user',
  label: 'Anthropic',
  baseUrl: 'https://api.anthropic.com',
  priceList: 'anthropic',
  model: 'claude-sonnet-4-5',
  // https://platform.claude.com/docs/en/api/messages
  takes: { temperature: [0, 1], lastMessage: 'any' },
  certainKeys: ['sk-ant-[A-Za-z0-9_-]{16}'],
  keys: {
    form: { begins: ['sk-ant-'] },
    sample: 'sk-ant-user-anthropic-key',
    samplesBegin: 'sk-ant-user-',
    refused: [
      { begins: 'sk-ant-admin', because: `is an Anthropic admin key, which cannot call models; ${INSTEAD}` },
      { begins: 'sk-ant-oat', because: OAUTH },
      { begins: 'sk-ant-ort', because: OAUTH },
      { begins: 'sk-ant-sid', because: `is the token of a login to Anthropic; ${INSTEAD}` },
    ],
  },
  formats: { 'anthropic.messages': { limit: 'max_tokens' } },
  links: {
    keys: 'https://console.anthropic.com/settings/keys',
    api: 'https://platform.claude.com/docs/en/api/messages',
  },
} as const satisfies UserManifest;
