/** `npm run tenants -- …`: the registry of tenants and platform keys from a terminal, over the same stores as the admin interface. */
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import {
  isManagedTenantId,
  isPlatformKeyId,
  isTenantId,
  type PlatformKeyId,
  type TenantId,
} from '../shared/domain/ids.ts';
import { SCOPES } from '../shared/domain/tenants/caller.ts';
import { keyRotation, newKey, newTenant, tenantChanges } from '../shared/domain/tenants/changes.ts';
import { LIMIT_NAMES } from '../shared/domain/tenants/limits.ts';
import type { PlatformKey, Tenant } from '../shared/domain/tenants/schema.ts';
import { noWork, type WorkStore } from '../shared/storage/tenants/work-store.ts';
import { withStores } from './command/open-stores.ts';
import { CommandError, check, runCommand, say, withJson } from './command/run-command.ts';
import { tableText } from './command/table.ts';
import { issuedText, keysText, noTenant, tenantText, workText } from './tenants/texts.ts';

const PAGE = 100;
/** What is left then, such as calls that are being aborted, a worker's upkeep ends. */
const ENDS_WITHIN_MS = 5_000;
const LOOK_MS = 200;

const tenantId = (text: string): TenantId => {
  if (!isManagedTenantId(text)) throw new CommandError('A tenant id looks like ten_01k…; list shows them.');
  return text;
};
/** Also of a tenant of the configuration. */
const workerId = (text: string): TenantId => {
  if (!isTenantId(text)) throw new CommandError('A tenant id looks like ten_01k…, or is a name of PLATFORM_API_KEYS.');
  return text;
};
const keyId = (text: string): PlatformKeyId => {
  if (!isPlatformKeyId(text))
    throw new CommandError('The id of a platform key looks like key_01k…; keys list shows them.');
  return text;
};
const number = (text: string): number | null => (text === 'default' ? null : Number(text));
const list = (text: string): string[] => text.split(',').map((part) => part.trim());

const optionOf = (limit: string): string => `--${limit.replaceAll('_', '-')}`;

type Options = Record<string, string | boolean | undefined> & { json?: boolean };

/** What the options say of a tenant, still to be checked. */
const settingsIn = (options: Options): object => {
  const limits = LIMIT_NAMES.flatMap((limit) => {
    const value = options[limit.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())];
    return typeof value === 'string' ? [[limit, number(value)]] : [];
  });
  const { allowedModels, weight } = options;
  return {
    ...(limits.length > 0 ? { limits: Object.fromEntries(limits) } : {}),
    ...(typeof allowedModels === 'string'
      ? { allowed_models: allowedModels === 'all' ? null : list(allowedModels) }
      : {}),
    ...(typeof weight === 'string' ? { weight: Number(weight) } : {}),
  };
};

/** Stops what was ordered, ends it, and says how far that is. */
const stopped = async (work: WorkStore, tenant: TenantId): Promise<string> => {
  await work.carryOut((each) => each === tenant);
  const untilMs = performance.now() + ENDS_WITHIN_MS;
  for (;;) {
    // No hand-offs: whoever works gives itself the next ones.
    for await (const _ of work.end(tenant, { mostHandoffs: 0 })) if (performance.now() > untilMs) break;
    const found = await work.read(tenant);
    if (!found?.stop) return 'It had no work.';
    const { stop, erasure } = found;
    const isOver = stop.ended_at !== null && erasure?.ended_at !== null;
    if (isOver || performance.now() > untilMs) {
      const ended = `Stopped: ${stop.jobs} jobs, and ${stop.lines} lines of ${stop.batches} batches; ${stop.running} of them were running.`;
      const erased =
        erasure && `Erased: ${erasure.jobs} jobs, ${erasure.batches} batches and ${erasure.deliveries} deliveries.`;
      const open = isOver
        ? null
        : `Nothing stopped can start; a worker ends the rest: npm run tenants -- work ${tenant} shows how far it is.`;
      return [ended, erased, open].filter(Boolean).join('\n');
    }
    await delay(LOOK_MS);
  }
};

/** All pages of a list. */
const readAll = async <Item, Id>(
  read: (page: { limit: number; after: Id | null }) => Promise<{ items: Item[]; next: Id | null }>,
): Promise<Item[]> => {
  const all: Item[] = [];
  let after: Id | null = null;
  do {
    const { items, next }: { items: Item[]; next: Id | null } = await read({ limit: PAGE, after });
    all.push(...items);
    after = next;
  } while (after !== null);
  return all;
};

const program = new Command('npm run tenants --')
  .description('Tenants and their platform keys, in the Redis of this gateway.')
  .showHelpAfterError();

const withSettings = (command: Command): Command => {
  for (const limit of LIMIT_NAMES) command.option(`${optionOf(limit)} <number>`, 'a number, or "default"');
  return withJson(command)
    .option('--allowed-models <models>', 'separated by commas, or "all"')
    .option('--weight <number>', 'share of the workers’ time, 1 to 1000');
};

withSettings(program.command('create <name>').description('creates a tenant')).action(
  (name: string, options: Options) =>
    withStores(process.env, async ({ tenants }) => {
      const tenant = await tenants.create(check(newTenant, { name, ...settingsIn(options) }));
      say(tenantText(tenant, options));
      if (!options.json) say(`\nNext, a platform key: npm run tenants -- keys issue ${tenant.id} --name production`);
    }),
);

withJson(program.command('list').description('lists all tenants, newest first')).action((options: Options) =>
  withStores(process.env, async ({ tenants }) => {
    const all = await readAll<Tenant, TenantId>(async (page) => {
      const { tenants: items, next } = await tenants.list(page);
      return { items, next };
    });
    const rows = all.map(({ id, name, disabled, weight, created_at }) => [id, name, disabled, weight, created_at]);
    say(options.json ? JSON.stringify(all) : tableText(['id', 'name', 'disabled', 'weight', 'created'], rows));
  }),
);

withJson(program.command('show <tenant>').description('shows a tenant')).action((tenant: string, options: Options) =>
  withStores(process.env, async ({ tenants }) => say(tenantText(await tenants.read(tenantId(tenant)), options))),
);

const KEEP_WORK = ['--keep-work', 'let what is queued run on'] as const;

withJson(
  program
    .command('disable <tenant>')
    .description('refuses all its requests within 5 seconds, and stops its work')
    .option(...KEEP_WORK),
).action((tenant: string, options: Options) =>
  withStores(process.env, async ({ tenants, work }) => {
    const id = tenantId(tenant);
    const keep_work = options.keepWork === true;
    const disabled = await tenants.change(id, { disabled: true, ...(keep_work ? { keep_work } : {}) });
    say(tenantText(disabled, options));
    const end = keep_work ? null : await stopped(work, id);
    if (end !== null && !options.json) say(`\n${end}`);
  }),
);

withJson(program.command('enable <tenant>').description('takes its requests again')).action(
  (tenant: string, options: Options) =>
    withStores(process.env, async ({ tenants, work }) => {
      const id = tenantId(tenant);
      const enabled = await tenants.change(id, { disabled: false });
      await work.carryOut((each) => each === id);
      say(tenantText(enabled, options));
    }),
);

withJson(program.command('work <tenant>').description('shows its unfinished work, and how a stop goes on')).action(
  (tenant: string, options: Options) =>
    withStores(process.env, async ({ tenants, work }) => {
      const id = workerId(tenant);
      const found = (await work.read(id)) ?? ((await tenants.read(id)) && noWork(id));
      if (found === null) throw noTenant();
      say(workText(found, options));
    }),
);

program
  .command('cancel <tenant>')
  .description('cancels all its unfinished work; what it sends from now on runs')
  .action((tenant: string) =>
    withStores(process.env, async ({ tenants, work }) => {
      const id = workerId(tenant);
      if ((await work.read(id)) === null && (await tenants.read(id)) === null) throw noTenant();
      await work.cancel(id, 'command');
      say(await stopped(work, id));
    }),
  );

withSettings(program.command('limits <tenant>').description('changes limits, allowed models or weight')).action(
  (tenant: string, options: Options) =>
    withStores(process.env, async ({ tenants }) => {
      say(tenantText(await tenants.change(tenantId(tenant), check(tenantChanges, settingsIn(options))), options));
    }),
);

program
  .command('delete <tenant>')
  .description('deletes a tenant and its keys, and stops its work')
  .requiredOption('--yes', 'there is no way back')
  .option(...KEEP_WORK)
  .option('--erase', 'forget all that is stored for it but usage and audit log, also of one that is deleted')
  .action((tenant: string, { keepWork, erase }: { keepWork?: true; erase?: true }) =>
    withStores(process.env, async ({ tenants, work }) => {
      const id = tenantId(tenant);
      if (keepWork && erase) throw new CommandError('What is erased cannot run on: leave out --keep-work.');
      const isKnown = (await tenants.read(id)) !== null || (erase && (await work.read(id)) !== null);
      if (!isKnown) throw noTenant();
      await tenants.remove(id, erase ? 'erased' : keepWork ? 'kept' : 'stopped');
      say(keepWork ? 'Deleted.' : `Deleted. ${await stopped(work, id)}`);
    }),
  );

const keys = program.command('keys').description('platform keys of a tenant');

withJson(keys.command('issue <tenant>').description('makes a platform key and prints it once'))
  .requiredOption('--name <name>', 'what it is for')
  .option('--scopes <scopes>', `some of ${SCOPES.join(',')}; all when left out`)
  .option('--expires-at <time>', 'such as 2027-01-31T12:00:00Z; never when left out')
  .action((tenant: string, options: Options) =>
    withStores(process.env, async ({ keys: store }) => {
      const { name, scopes, expiresAt } = options;
      const wish = check(newKey, {
        name,
        ...(typeof scopes === 'string' ? { scopes: list(scopes) } : {}),
        ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
      });
      say(issuedText(await store.issue(tenantId(tenant), wish), options));
    }),
  );

withJson(keys.command('list <tenant>').description('lists its platform keys, newest first')).action(
  (tenant: string, options: Options) =>
    withStores(process.env, async ({ tenants, keys: store }) => {
      const id = tenantId(tenant);
      if ((await tenants.read(id)) === null) throw noTenant();
      const all = await readAll<PlatformKey, PlatformKeyId>(async (page) => {
        const { keys: items, next } = await store.list(id, page);
        return { items, next };
      });
      say(options.json ? JSON.stringify(all) : keysText(all));
    }),
);

withJson(
  keys.command('rotate <tenant> <key>').description('replaces a key; the old one stays valid for --overlap-seconds'),
)
  .option('--overlap-seconds <seconds>', 'at most 604800', '86400')
  .action((tenant: string, key: string, options: Options) =>
    withStores(process.env, async ({ keys: store }) => {
      const { overlap_seconds } = check(keyRotation, { overlap_seconds: Number(options.overlapSeconds) });
      say(issuedText(await store.rotate(tenantId(tenant), keyId(key), overlap_seconds * 1_000), options));
    }),
  );

keys
  .command('revoke <tenant> <key>')
  .description('ends a platform key, everywhere within 5 seconds, and stops the work that it asked for')
  .option(...KEEP_WORK)
  .action((tenant: string, key: string, { keepWork = false }: { keepWork?: boolean }) =>
    withStores(process.env, async ({ keys: store, work }) => {
      const id = tenantId(tenant);
      if (!(await store.revoke(id, keyId(key), { keepWork }))) {
        throw new CommandError('This tenant has no platform key of this id.');
      }
      say(keepWork ? 'Revoked.' : `Revoked. ${await stopped(work, id)}`);
    }),
  );

await runCommand(program);
