/** Clients as their users make them: an address, a key, and headers that go with every request. */
import Anthropic from '@anthropic-ai/sdk';
import Anthropic1_14 from 'anthropic-sdk-1.14';
import OpenAI from 'openai';
import OpenAI6 from 'openai-6';
import type { TestUser } from './stage.ts';

type Headers = Record<string, string | null>;

/** The casts: releases differ in what they know beside that which the tests use. */
export const OPENAI_SDKS: [string, typeof OpenAI][] = [
  ['openai 7', OpenAI],
  ['openai 6', OpenAI6 as unknown as typeof OpenAI],
];
export const ANTHROPIC_SDKS: [string, typeof Anthropic][] = [
  ['anthropic 1.12', Anthropic],
  ['anthropic 1.14', Anthropic1_14 as unknown as typeof Anthropic],
];

export const openaiOf = (user: TestUser, Sdk: typeof OpenAI = OpenAI, headers: Headers = {}): OpenAI =>
  new Sdk({
    apiKey: user.platformKey,
    baseURL: `${user.url}/openai/v1`,
    defaultHeaders: { 'X-User-API-Key': user.openaiKey, ...headers },
  });

export const anthropicOf = (user: TestUser, Sdk: typeof Anthropic = Anthropic, headers: Headers = {}): Anthropic =>
  new Sdk({
    apiKey: user.platformKey,
    baseURL: `${user.url}/anthropic`,
    defaultHeaders: { 'X-User-API-Key': user.anthropicKey, ...headers },
  });
