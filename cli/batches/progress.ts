/** How far a batch is, for a person: a bar on a terminal, else a line now and then. */
import type { Batch } from '../../shared/domain/batches/schema.ts';
import type { WaitReason } from '../../shared/domain/jobs/states.ts';

const WAITS = {
  starting: 'it is next, or no worker runs',
  tenant_share: 'workers are busy with other work',
  concurrency_limit: 'as many calls run as this tenant or its provider allows',
  token_limit: 'this minute’s tokens are used up',
  provider_rate_limited: 'the provider asked for a pause',
  retry_backoff: 'it failed and is tried again after a pause',
  worker_ability: 'no worker that runs can do what it needs',
} as const satisfies Record<WaitReason, string>;

const BAR_CHARACTERS = 30;
const LINE_EVERY_MS = 5_000;

type Output = { isTTY?: boolean; write: (text: string) => unknown };

const doneOf = ({ request_counts: { total, queued, in_progress } }: Batch): number => total - queued - in_progress;

const countsText = (batch: Batch): string => {
  const { total, in_progress, failed, cancelled, expired } = batch.request_counts;
  const others = Object.entries({ running: in_progress, failed, cancelled, expired }).filter(([, count]) => count > 0);
  return [`${doneOf(batch)} of ${total}`, ...others.map(([name, count]) => `${count} ${name}`)].join(', ');
};

const barText = (batch: Batch): string => {
  const filled = Math.floor((doneOf(batch) / batch.request_counts.total) * BAR_CHARACTERS);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_CHARACTERS - filled)}] ${countsText(batch)}`;
};

export const createProgress = (output: Output, now: () => number = () => performance.now()) => {
  let toldMs = Number.NEGATIVE_INFINITY;
  const onChange = (batch: Batch): void => {
    const isOver = batch.finished_at !== null;
    if (output.isTTY) {
      output.write(`\r\x1b[K${barText(batch)}${isOver ? '\n' : ''}`);
    } else if (isOver || now() - toldMs >= LINE_EVERY_MS) {
      toldMs = now();
      output.write(`${batch.status}: ${countsText(batch)}\n`);
    }
  };
  const onSilence = (reason: WaitReason | null): void => {
    const text = reason === null ? 'waiting for the lines that run' : `the next line waits: ${WAITS[reason]}`;
    output.write(`${output.isTTY ? '\n' : ''}${text}\n`);
  };
  return { onChange, onSilence };
};
