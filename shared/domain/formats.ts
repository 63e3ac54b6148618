/** In whose words a job's request and answer are. A body in foreign words is stored, sent and given back byte for byte. */
import { FOREIGN_FORMATS, type ForeignFormat } from '../../providers/manifest.ts';
import type { CompletionRequest } from './completion.ts';

export const FORMATS = ['neutral', ...FOREIGN_FORMATS] as const;
export type Format = (typeof FORMATS)[number];

/** Headers of the client that go to the provider with its body, by their names in lower case. None of them is a credential. */
export type ForwardedHeaders = Readonly<Record<string, string>>;

/** A request in the words of a provider's own interface, as the provider gets it. */
export type ForeignRequest = { format: ForeignFormat; body: Buffer; headers: ForwardedHeaders };

/** What a job asks its provider for. */
export type Asked = { format: 'neutral'; request: CompletionRequest } | ForeignRequest;

/** The bytes that a provider answered with, and their media type as it gave it. */
export type ForeignAnswer = { bytes: Buffer; mediaType: string };
