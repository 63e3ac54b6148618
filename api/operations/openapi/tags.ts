/** Under which headings operations stand. */
export const TAGS = [
  { name: 'jobs', description: 'Completions and what becomes of them.' },
  { name: 'openai', description: 'Requests in OpenAI’s words, on users’ own keys.' },
  { name: 'anthropic', description: 'Requests in Anthropic’s words, on users’ own keys.' },
  { name: 'batches', description: 'Many completions at once.' },
  { name: 'usage', description: 'What a tenant used.' },
  {
    name: 'webhooks',
    description:
      'What became of the events that were posted. Their bodies are `JobEvent` and `BatchEvent`, signed by Standard Webhooks.',
  },
  { name: 'admin', description: 'Tenants, their keys and the queues, for whoever runs the gateway.' },
  { name: 'operations', description: 'Of one process.' },
];

export const tagOf = (path: string): string => {
  if (path.startsWith('/openai/')) return 'openai';
  if (path.startsWith('/anthropic/')) return 'anthropic';
  if (path.startsWith('/admin/')) return 'admin';
  const [, area] = /^\/v1\/(\w+)/.exec(path) ?? [];
  return area === undefined ? 'operations' : area === 'complete' ? 'jobs' : area;
};
