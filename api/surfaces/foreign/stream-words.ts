/** What the gateway itself says in a stream, format by format. */
import type { ForeignFormat } from '../../../providers/manifest.ts';
import type { JobId } from '../../../shared/domain/ids.ts';
import type { JobRecord } from '../../../shared/domain/records/job-record.ts';

type StreamWords = {
  /** An error, of which `body` is what a call that is not streamed is told: an SDK throws it. */
  error: (body: object) => string;
  /** Something that changes nothing: comments alone do not keep every client waiting. */
  beat: (id: JobId, record: Pick<JobRecord, 'created' | 'model'>) => string;
};

/** Comments are no events. */
export const COMMENT = ': the job goes on\n\n';

const event = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

export const STREAM_WORDS: Readonly<Partial<Record<ForeignFormat, StreamWords>>> = {
  'openai.chat': {
    error: (body) => `data: ${JSON.stringify(body)}\n\n`,
    // Without choices, clients that look at the first one break.
    beat: (id, { created, model }) => {
      const choices = [{ index: 0, delta: {}, finish_reason: null }];
      const seconds = Math.floor(Number(created) / 1_000);
      const chunk = { id: `chatcmpl-${id}`, object: 'chat.completion.chunk', created: seconds, model, choices };
      return `data: ${JSON.stringify(chunk)}\n\n`;
    },
  },
  'openai.responses': {
    error: (body) => event('error', { type: 'error', ...body }),
    // Helpers refuse events that they do not know, and those that they know have numbers.
    beat: () => COMMENT,
  },
  'anthropic.messages': {
    error: (body) => event('error', body),
    beat: () => event('ping', { type: 'ping' }),
  },
};
