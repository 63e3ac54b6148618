/** What a process of the gateway can still reach in its heap, told by the texts in a snapshot of it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { until } from '../until.ts';
import type { GatewayProcess } from './process.ts';

/** What a process needs in its environment for `textsHeld`. */
export const snapshotting = async (): Promise<{ env: Record<string, string>; path: string }> => {
  const path = join(await mkdtemp(join(tmpdir(), 'gateway-heap-')), 'snapshot');
  const options = `--import=${new URL('./snapshot-heap.ts', import.meta.url).href}`;
  return { env: { NODE_OPTIONS: options, HEAP_SNAPSHOT: path }, path };
};

const snapshotForm = z.object({
  snapshot: z.object({
    meta: z.object({
      node_fields: z.array(z.string()),
      edge_fields: z.array(z.string()),
      edge_types: z.array(z.unknown()),
    }),
  }),
  nodes: z.array(z.number()),
  edges: z.array(z.number()),
  strings: z.array(z.string()),
});
type Snapshot = z.infer<typeof snapshotForm>;

const MAX_STEPS = 40;

/** How the process comes to an object, from its roots: names of objects and of what leads from one to the next. */
const roadTo = ({ snapshot: { meta }, nodes, edges, strings }: Snapshot, name: number): string => {
  const [width, edgeWidth] = [meta.node_fields.length, meta.edge_fields.length];
  const [nameAt, edgesAt] = [meta.node_fields.indexOf('name'), meta.node_fields.indexOf('edge_count')];
  const edgeTypes = meta.edge_types[0] as string[];
  const from = new Map<number, { node: number; label: string }>();
  const queue = [0];
  const firstEdge: number[] = [];
  let edge = 0;
  for (let node = 0; node < nodes.length; node += width) {
    firstEdge.push(edge);
    edge += (nodes[node + edgesAt] ?? 0) * edgeWidth;
  }
  const seen = new Set<number>([0]);
  const shown = (node: number): string => (strings[nodes[node + nameAt] ?? 0] ?? '').slice(0, 40);
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    const start = firstEdge[node / width] ?? 0;
    for (let index = 0; index < (nodes[node + edgesAt] ?? 0); index++) {
      const at = start + index * edgeWidth;
      const [type = 0, label = 0, to = 0] = edges.slice(at, at + 3);
      if (edgeTypes[type] === 'weak' || seen.has(to)) continue;
      seen.add(to);
      from.set(to, { node, label: edgeTypes[type] === 'element' ? `[${label}]` : (strings[label] ?? String(label)) });
      if (nodes[to + nameAt] === name) {
        const road: string[] = [];
        for (let step = from.get(to); step && road.length < MAX_STEPS; step = from.get(step.node))
          road.push(`${shown(step.node)}.${step.label}`);
        return road.toReversed().join(' > ');
      }
      queue.push(to);
    }
  }
  return 'no road found';
};

/** Those of `texts` that the process can reach, after its garbage is collected, each with how. */
export const textsHeld = async (
  { signal }: Pick<GatewayProcess, 'signal'>,
  path: string,
  texts: readonly string[],
): Promise<string[]> => {
  await rm(path, { force: true });
  signal('SIGUSR2');
  const json = await until('the snapshot is there', () => readFile(path, 'utf8').catch(() => null), {
    withinMs: 60_000,
  });
  const snapshot = snapshotForm.parse(JSON.parse(json));
  return texts.flatMap((text) => {
    const name = snapshot.strings.findIndex((each) => each.includes(text));
    return name < 0 ? [] : [`${text}: ${roadTo(snapshot, name)}`];
  });
};
