/** GET /v1/batches/{id}/results: what has ended, as NDJSON, read from Redis only as fast as the client takes it. */
import { z } from 'zod';
import {
  type BatchView,
  type Outcome,
  type Place,
  parseCursor,
  toBatch,
  toResultLine,
} from '../../../../shared/domain/batches/batch.ts';
import { RequestError } from '../../../../shared/domain/errors.ts';
import type { BatchId } from '../../../../shared/domain/ids.ts';
import type { BatchIds } from '../../../../shared/keys/digests/genuine-ids.ts';
import type { BatchStore } from '../../../../shared/storage/batches/batch-store.ts';
import { operation } from '../../../access/operation.ts';
import { readQuery } from '../../../http/query/read-query.ts';
import { genuineBatch, storedBatch } from './named-batch.ts';
import { ndjsonLine } from './ndjson-line.ts';

/** How many lines of the batch had ended when the answer began; so many and those before `after` it has at least. */
const ENDED_LINES = 'X-Batch-Lines-Ended';

const endedLines = (view: BatchView): number => {
  const { total, queued, in_progress } = toBatch(view).request_counts;
  return total - queued - in_progress;
};

export const resultsQuery = z.strictObject({ after: z.string().optional() });

export const streamResults = operation({
  method: 'GET',
  path: '/v1/batches/:id/results',
  access: 'jobs:read',
  summary: 'Streams the lines that have ended, in the order in which they ended, also while the batch runs',
  lateQuery: resultsQuery,
  answers: {
    200: {
      description: 'A line of JSON for each; `after` takes the `cursor` of the last one read.',
      type: 'application/x-ndjson',
      headers: [ENDED_LINES],
    },
  },
  errors: ['result_expired'],
  handle:
    ({ batches, batchIds }: { batches: Pick<BatchStore, 'read' | 'outcomes'>; batchIds: BatchIds }) =>
    async (c) => {
      const id = genuineBatch(c, batchIds);
      const { after } = readQuery(c, resultsQuery);
      const place = after === undefined ? undefined : placeIn(id, after);
      const view = await storedBatch(c, id, batches);
      const pieces = batches.outcomes(c.get('tenant'), id, place);
      // Before the answer begins: where Redis is away, the client is told so.
      const first = await pieces.next();
      return c.body(linesOf(id, first, whileLetIn(pieces, c.get('isLetInStill'))), 200, {
        'Content-Type': 'application/x-ndjson',
        // An answer without a length that is cut short can look whole to whoever reads it: this tells.
        [ENDED_LINES]: String(endedLines(view)),
      });
    },
});

const placeIn = (id: BatchId, cursor: string): Place => {
  const place = parseCursor(id, cursor);
  if (place !== null) return place;
  throw new RequestError('invalid_query', {
    param: 'after',
    message: 'after must be the cursor of a line of this batch’s results.',
  });
};

/** The next pieces as long as the caller would be let in; then it fails, so that the answer does not look whole. */
async function* whileLetIn<T>(
  pieces: AsyncGenerator<T, void>,
  isLetInStill: () => Promise<boolean>,
): AsyncGenerator<T, void> {
  const demand = async (): Promise<void> => {
    if (!(await isLetInStill())) throw new RequestError('invalid_api_key');
  };
  for await (const piece of pieces) {
    await demand();
    yield piece;
  }
  await demand();
}

const linesOf = (
  id: BatchId,
  first: IteratorResult<Outcome[], void>,
  pieces: AsyncGenerator<Outcome[], void>,
): ReadableStream<Uint8Array> => {
  let next: IteratorResult<Outcome[], void> | null = first;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = next ?? (await pieces.next());
        next = null;
        if (done) return controller.close();
        controller.enqueue(Buffer.from(value.map((outcome) => ndjsonLine(toResultLine(id, outcome))).join('')));
      },
      // A client that stopped reading can go on from its last cursor.
      cancel: async () => {
        await pieces.return();
      },
    },
    // Nothing is read before it is asked for.
    { highWaterMark: 0 },
  );
};
