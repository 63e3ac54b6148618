/** The table of what each provider takes, both ways: what it takes is in what it is sent, and what it does not take is refused or left out with a word. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { judge } from '../../../api/intake/support/judge.ts';
import { BODY_NAMES } from '../../../api/intake/support/names.ts';
import type { ProviderAdapter } from '../../../providers/call/provider.ts';
import { manifestOf } from '../../../providers/catalogue.ts';
import { type Feature, featuresOf } from '../../../providers/features.ts';
import { type CompletionRequest, completionRequest } from '../../../shared/domain/completion.ts';
import { FEATURES } from '../../support/fields-document.ts';
import { json, type RawServer, startRawServer } from '../raw-server.ts';
import { VENDORS } from '../vendors.ts';
import { requestOf, SAMPLES } from './feature-samples.ts';

const OWN_TOOLS: readonly Feature[] = ['tools: strict', 'cache_control: tools'];

describe.each(VENDORS)('$provider', (vendor) => {
  let server: RawServer;
  let adapter: ProviderAdapter;
  beforeAll(async () => {
    server = await startRawServer(json(200, vendor.answerBody('Yes.')));
    adapter = vendor.open(server.url + vendor.basePath);
  });
  afterAll(async () => {
    await adapter.close();
    await server.close();
  });

  /** What the provider is sent for a request. */
  const sentFor = async (request: CompletionRequest): Promise<string> => {
    const outcome = await adapter.complete({
      // As it comes out of the queue.
      request: JSON.parse(JSON.stringify(request)) as CompletionRequest,
      userKey: vendor.userKey,
      traceparent: null,
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    });
    expect(outcome).toMatchObject({ kind: 'completed', result: { content: 'Yes.' } });
    return server.received.at(-1)?.body ?? '';
  };
  const { provider } = vendor;
  const takes = featuresOf(manifestOf(provider).takes);
  const judged = (request: CompletionRequest, onUnsupported: 'reject' | 'warn') =>
    judge(request, { provider, names: BODY_NAMES, onUnsupported });

  test.each(FEATURES)('%s', async (feature) => {
    const { sent, param } = SAMPLES[feature];
    const request = completionRequest.parse(requestOf([SAMPLES[feature]]));
    const { refusal } = judged(request, 'reject');
    const warned = judged(request, 'warn');
    if (takes[feature]) {
      expect([refusal, warned]).toEqual([null, { request, refusal: null, warnings: [] }]);
      expect(await sentFor(request)).toMatch(sent);
      return;
    }
    expect(refusal).toMatchObject({ code: 'unsupported_by_provider' });
    expect(param).toContain(refusal?.param);
    if (feature === 'tool_calls without tools') {
      expect(warned.refusal).toMatchObject({ code: 'unsupported_by_provider', param });
      return;
    }
    expect(warned).toMatchObject({ refusal: null, warnings: [{ param: refusal?.param }] });
    expect(warned.warnings[0]?.reason).toMatch(/ does not take .*; it was left out/);
    expect(await sentFor(warned.request)).not.toMatch(sent);
  });

  /** Of values of one field one can be sent, and what calls nothing does not call one at a time. */
  const groupOf = (feature: Feature): string => {
    const [, field] = /^(tool_choice|response_format|reasoning\.effort|service_tier):/.exec(feature) ?? [];
    if (field !== undefined) return field;
    if (feature === 'parallel_tool_calls: false') return 'tool_choice';
    if (feature === 'reasoning.budget_tokens') return 'reasoning.effort';
    if (OWN_TOOLS.includes(feature)) return 'tools';
    return SAMPLES[feature].turns ? 'turns' : feature;
  };

  test('and all of them together: whatever is accepted arrives, and whatever does not is told', async () => {
    const some = fc.subarray([...FEATURES], { minLength: 1, maxLength: 8 }).map((drawn) => [
      ...new Map(
        // Tools of their own come last, so that they are those of the request.
        drawn
          .toSorted((one, other) => Number(OWN_TOOLS.includes(one)) - Number(OWN_TOOLS.includes(other)))
          .map((feature) => [groupOf(feature), feature]),
      ).values(),
    ]);
    await fc.assert(
      fc.asyncProperty(some, async (features) => {
        const request = completionRequest.parse(requestOf(features.map((feature) => SAMPLES[feature])));
        const { refusal } = judged(request, 'reject');
        const warned = judged(request, 'warn');
        if (refusal === null) expect(warned.warnings).toEqual([]);
        else if (warned.refusal === null) expect(warned.warnings.length).toBeGreaterThan(0);
        if (warned.refusal !== null) return;
        const body = await sentFor(warned.request);
        const told = JSON.stringify(warned.warnings);
        for (const feature of features) {
          if (takes[feature] && !told.includes(`does not take ${feature}`)) expect(body).toMatch(SAMPLES[feature].sent);
          if (!takes[feature] && feature !== 'tool_calls without tools') {
            expect(told).toMatch(/does not take/);
          }
        }
      }),
      { numRuns: 150 },
    );
  });
});
