import type { PlatformManifest } from '../manifest.ts';

export const BEDROCK = {
  account: 'platform',
  label: 'AWS Bedrock',
  baseUrl: null,
  priceList: 'aws',
  model: 'amazon.nova-lite-v1:0',
  // https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InferenceConfiguration.html
  takes: { temperature: [0, 1], lastMessage: 'any' },
  certainKeys: ['(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])', '(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/=]{40}'],
  formats: {},
  links: {
    keys: 'https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html',
    api: 'https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html',
  },
} as const satisfies PlatformManifest;
