/** Rows of a batch's lines that have ended, made into what the rest of the gateway reads. */
import type { Outcome } from '../../domain/batches/batch.ts';
import type { CompletionRequest } from '../../domain/completion.ts';
import type { CompletionResult } from '../../domain/conversation/result.ts';
import type { Warning } from '../../domain/jobs/schema.ts';
import type { RequestRow, ResultRow } from '../commands/batches/commands.ts';
import type { Line } from './batch-staging.ts';

export const parseOutcome = (row: ResultRow): Outcome => {
  const [id, index, offset, customId, status, used, price_version, error, provider_status, detail, result] = row;
  return {
    id,
    customId: JSON.parse(customId) as string,
    status,
    record: { used, price_version, error, provider_status, detail },
    result: result ? (JSON.parse(result) as CompletionResult) : null,
    next: { index, offset },
  };
};

export const parseLine = (row: RequestRow): Line => {
  const [, , , customId, , , , , , , timeoutMs, metadata, warnings, request] = row;
  return {
    customId: JSON.parse(customId) as string,
    request: JSON.parse(request) as CompletionRequest,
    metadata: metadata ? (JSON.parse(metadata) as Record<string, string>) : {},
    timeoutMs: Number(timeoutMs),
    ...(warnings && { warnings: JSON.parse(warnings) as Warning[] }),
  };
};
