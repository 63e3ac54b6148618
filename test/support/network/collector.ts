import { createServer, type IncomingMessage } from 'node:http';
import { serve } from './listen.ts';

type Attribute = { key: string; value: { stringValue?: string; intValue?: string } };

export type CollectedSpan = {
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: Attribute[];
  status: { code: number };
};

type Export = {
  resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { spans: Omit<CollectedSpan, 'service'>[] }[] }[];
};

export type Collector = {
  url: string;
  spans: CollectedSpan[];
  /** Everything that was received, as text. */
  received: () => string;
  /** The status of answers from now on. */
  answerWith: (status: number) => void;
  close: () => Promise<void>;
};

export const startCollector = async (): Promise<Collector> => {
  const spans: CollectedSpan[] = [];
  let text = '';
  let status = 200;
  const take = (request: IncomingMessage, body: string): void => {
    text += `${request.method} ${request.url} ${JSON.stringify(request.headers)} ${body}\n`;
    if (request.method === 'POST' && request.url === '/v1/traces') {
      for (const { resource, scopeSpans } of (JSON.parse(body) as Export).resourceSpans) {
        const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
        spans.push(...scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ ...span, service }))));
      }
    }
  };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      take(request, body);
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  const { url, close } = await serve(server);
  return {
    url,
    spans,
    received: () => text,
    answerWith: (next) => {
      status = next;
    },
    close,
  };
};
