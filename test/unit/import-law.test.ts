import { expect, test } from 'vitest';
import { violationsOf } from '../../dev/lint/import-law.ts';

const importing = (path: string, ...specifiers: string[]) => ({
  path,
  text: specifiers.map((each, index) => `import type { T${index} } from '${each}';`).join('\n'),
});

test.each([
  ['runs up', [importing('shared/domain/job.ts', '../storage/redis/names.ts')], 'shared/domain/job.ts'],
  ['runs up by an export', [{ path: 'api/http/x.ts', text: "export { a } from '../access/y.ts';" }], 'api/http/x.ts'],
  ['runs up at run time', [{ path: 'api/http/x.ts', text: "await import('../access/y.ts');" }], 'api/http/x.ts'],
  ['leads to another surface', [importing('api/surfaces/native/x.ts', '../admin/y.ts')], 'api/surfaces/native/x.ts'],
  [
    'leads to another resource',
    [importing('api/surfaces/native/jobs/x.ts', '../batches/y.ts')],
    'api/surfaces/native/jobs/x.ts',
  ],
  ['leads to another kind of work', [importing('worker/upkeep/x.ts', '../attempts/y.ts')], 'worker/upkeep/x.ts'],
  ['leads from the API to the worker', [importing('api/start.ts', '../worker/queue/y.ts')], 'api/start.ts'],
  ['gives the API an adapter', [importing('api/start.ts', '../providers/registry.ts')], 'api/start.ts'],
  ['gives commands an adapter', [importing('cli/job.ts', '../providers/openai/adapter.ts')], 'cli/job.ts'],
  ['gives the worker a stand-in', [importing('worker/start.ts', '../providers/openai/stand-in.ts')], 'worker/start.ts'],
  [
    'leads out of a manifest',
    [importing('providers/openai/manifest.ts', '../../shared/domain/errors.ts')],
    'providers/openai/manifest.ts',
  ],
  [
    'leads from a manifest to the adapter beside it',
    [importing('providers/openai/manifest.ts', './adapter.ts')],
    'providers/openai/manifest.ts',
  ],
  ['leads to tests', [importing('worker/start.ts', '../test/support/until.ts')], 'worker/start.ts'],
])('an arrow that %s is refused', (_, files, where) => {
  expect(violationsOf(files)).toEqual([expect.objectContaining({ where })]);
});

test('arrows that run down, and those of tests, are taken', () => {
  const files = [
    importing(
      'api/start.ts',
      './surfaces/native/jobs/operations.ts',
      '../shared/domain/ids.ts',
      '../providers/catalogue.ts',
    ),
    importing('api/surfaces/native/jobs/a.ts', './b.ts', '../c.ts', '../../../access/operation.ts'),
    importing('worker/start.ts', '../providers/registry.ts'),
    importing('sandbox/server.ts', '../providers/openai/stand-in.ts', '../providers/catalogue.ts'),
    importing('providers/catalogue.ts', './openai/manifest.ts'),
    importing('providers/openai/adapter.ts', './manifest.ts', '../../shared/domain/job.ts'),
    importing('shared/domain/job.ts', '../../providers/catalogue.ts'),
    importing('cli/jobs.ts', '../dev/private-redis.ts', '../shared/storage/redis/client.ts'),
    importing('test/flow/jobs.test.ts', '../../worker/start.ts', '../../api/start.ts'),
    importing('shared/storage/jobs/a.ts', '../redis/b.ts', './c.ts', 'ioredis'),
  ];
  expect(violationsOf(files)).toEqual([]);
});

test('folders that stand in a circle are named, though no two of their files do', () => {
  const files = [
    importing('shared/storage/jobs/a.ts', '../redis/b.ts'),
    importing('shared/storage/redis/c.ts', '../jobs/d.ts'),
  ];
  expect(violationsOf(files)).toEqual([
    { where: 'shared/storage/jobs', what: expect.stringContaining('shared/storage/jobs, shared/storage/redis') },
  ]);
});

test.each(['cli', 'test/bench'])('a folder of sixteen files is one too many: %s', (folder) => {
  const files = Array.from({ length: 16 }, (_, index) => importing(`${folder}/file-${index}.ts`));
  expect(violationsOf(files)).toEqual([{ where: folder, what: expect.stringContaining('16') }]);
  expect(violationsOf(files.slice(1))).toEqual([]);
});
