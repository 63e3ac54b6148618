/**
 * `npm run lint`: which room may import from which. A room is a folder; an arrow is an import of another room's file, types included.
 * Every arrow runs down, no rooms stand in a circle, no folder holds more than a reader can take in, and nothing imports tests.
 */
import { parseSync } from 'oxc-parser';

type Floor = {
  /** Folders of one floor do not import one another. */
  rooms: readonly string[];
  why: string;
};

const MANIFESTS = 'the manifests of providers';

/** Rooms that are not folders: what all may know of a provider stands in its folder, beside what few may import. */
const ROOMS_OF_FILES: Readonly<Record<string, RegExp>> = {
  [MANIFESTS]: /^providers\/(?:manifest|catalogue|takes|features|[\w-]+\/(?:manifest|vendors))\.ts$/,
};

/** The lowest first. */
const FLOORS: readonly Floor[] = [
  { rooms: [MANIFESTS], why: 'Manifests are data that everybody reads: they import nothing but one another.' },
  { rooms: ['shared/domain'], why: 'The words that everybody speaks import nothing of the gateway.' },
  { rooms: ['shared/keys'], why: 'What guards keys knows the domain alone: no store and no process.' },
  { rooms: ['shared/storage'], why: 'Stores compose commands of Redis, whatever process they are in.' },
  { rooms: ['shared/process'], why: 'What every process does: configuration, log, start and stop, metrics, traces.' },
  { rooms: ['providers'], why: 'A provider is one folder, and knows neither the API nor the worker.' },
  { rooms: ['api/http'], why: 'HTTP as such: it knows no tenant’s key and no job.' },
  { rooms: ['api/access'], why: 'What a call is: who asks, and what they may do, whatever it is.' },
  { rooms: ['api/intake'], why: 'How work is accepted, in whichever words it came.' },
  {
    rooms: ['api/surfaces/native', 'api/surfaces/admin'],
    why: 'One intake in different words: no surface knows another.',
  },
  {
    rooms: ['api/surfaces/foreign'],
    why: 'What surfaces in the words of others share, the job that they answer among it.',
  },
  { rooms: ['api/surfaces/openai', 'api/surfaces/anthropic'], why: 'Each in the words of one provider.' },
  { rooms: ['api/operations'], why: 'What describes the surfaces and says how the process does.' },
  { rooms: ['worker/queue'], why: 'BullMQ, and nothing of what is done with a job.' },
  { rooms: ['worker/pipeline'], why: 'One way from hand-off to settlement, whatever is attempted.' },
  {
    rooms: ['worker/attempts', 'worker/deliveries', 'worker/upkeep'],
    why: 'Three kinds of work that meet in Redis alone.',
  },
  {
    rooms: ['api', 'worker', 'sandbox'],
    why: 'Processes meet in Redis and over HTTP: each starts without the others.',
  },
  { rooms: ['dev'], why: 'What runs the processes on one machine.' },
  { rooms: ['cli'], why: 'Commands speak HTTP, or open stores.' },
];

/** Files that few may import, though their floor is open to more. */
const RESERVED: readonly { files: RegExp; to: readonly string[]; why: string }[] = [
  {
    files: /^providers\/(?:registry|[\w-]+\/adapter)\.ts$/,
    to: ['providers', 'worker'],
    why: 'Whoever holds an adapter can call a provider, and only the worker does.',
  },
  {
    files: /^providers\/(?:stand-in\/[\w-]+|[\w-]+\/(?:[\w-]+-)?stand-in)\.ts$/,
    to: ['providers', 'sandbox'],
    why: 'A stand-in answers like a provider: no process but the sandbox may.',
  },
];

/** Surfaces whose folders are resources: none of them knows another. */
const SURFACES: readonly string[] = ['api/surfaces/native', 'api/surfaces/admin'];

const MAX_FILES = 15;

/** A process imports its own rooms alone. */
const HOUSES: readonly string[] = ['api', 'worker', 'sandbox', 'dev', 'cli'];
/** What another house may be entered for: the stand-ins of `npm start` are found by its commands. */
const SHARED_BY_HOUSES: Record<string, readonly string[]> = { cli: ['dev'] };

export type SourceFile = { path: string; text: string };
export type Violation = { where: string; what: string };

type Arrow = { from: string; to: string };

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const isIn = (room: string, path: string): boolean => ROOMS_OF_FILES[room]?.test(path) ?? path.startsWith(`${room}/`);
/** What can stand in a circle with others: a room of files, else a folder. */
const unitOf = (path: string): string => Object.keys(ROOMS_OF_FILES).find((room) => isIn(room, path)) ?? folderOf(path);

const resolve = (from: string, specifier: string): string => new URL(specifier, `file:///${from}`).pathname.slice(1);

const arrowsOf = ({ path, text }: SourceFile): Arrow[] => {
  const { module } = parseSync(path, text);
  const written = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []),
    ),
    ...module.dynamicImports.map(({ moduleRequest: { start, end } }) => text.slice(start + 1, end - 1)),
  ];
  return written.filter((each) => each.startsWith('.')).map((each) => ({ from: path, to: resolve(path, each) }));
};

/** The innermost room and its floor; null for files that stand outside of the house. */
const placeOf = (path: string): { floor: number; room: string } | null => {
  const places = FLOORS.flatMap(({ rooms }, floor) =>
    rooms.filter((room) => isIn(room, path)).map((room) => ({ floor, room })),
  );
  const ofFiles = places.find(({ room }) => room in ROOMS_OF_FILES);
  return ofFiles ?? places.toSorted((one, other) => other.room.length - one.room.length)[0] ?? null;
};

/** The folder of a surface that a file is in; undefined for the surface's own files, and all others. */
const resourceOf = (path: string): string | undefined =>
  SURFACES.filter((surface) => isIn(surface, path)).flatMap((surface) => {
    const [folder, file] = path.slice(surface.length + 1).split('/');
    return file === undefined ? [] : [`${surface}/${folder}`];
  })[0];

const judge = ({ from, to }: Arrow): Violation[] => {
  if (isIn('test', to)) return [{ where: from, what: `imports ${to}: what the product needs does not live in test.` }];
  const reserved = RESERVED.find(({ files, to: rooms }) => files.test(to) && !rooms.some((room) => isIn(room, from)));
  if (reserved) return [{ where: from, what: `imports ${to}. ${reserved.why}` }];
  const [resource, otherResource] = [from, to].map(resourceOf);
  if (resource && otherResource && resource !== otherResource)
    return [{ where: from, what: `imports ${to}. A resource knows no other; what two need stands above them.` }];
  const [here, there] = [placeOf(from), placeOf(to)];
  if (here === null || there === null) return [];
  const [house, other] = [from, to].map((path) => HOUSES.find((each) => isIn(each, path)));
  const isStranger = other !== undefined && other !== house && !(house && SHARED_BY_HOUSES[house]?.includes(other));
  const isAbove = there.floor > here.floor || (there.floor === here.floor && there.room !== here.room);
  if (!isStranger && !isAbove) return [];
  return [{ where: from, what: `imports ${to}. ${FLOORS[here.floor]?.why ?? ''}` }];
};

/** Groups of rooms and folders that can be reached from one another. */
const circlesAmong = (arrows: readonly Arrow[]): string[][] => {
  const next = new Map<string, Set<string>>();
  for (const { from, to } of arrows) {
    const [here, there] = [unitOf(from), unitOf(to)];
    if (here !== there) next.set(here, (next.get(here) ?? new Set()).add(there));
  }
  const reach = (start: string): Set<string> => {
    const seen = new Set<string>();
    const open = [start];
    for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
      for (const each of next.get(folder) ?? []) {
        if (seen.has(each)) continue;
        seen.add(each);
        open.push(each);
      }
    }
    return seen;
  };
  const reached = new Map([...next.keys()].map((folder) => [folder, reach(folder)]));
  const circles = new Map<string, string[]>();
  for (const [folder, others] of reached) {
    if (!others.has(folder)) continue;
    const circle = [...others].filter((each) => reached.get(each)?.has(folder)).toSorted();
    circles.set(circle.join(' '), circle);
  }
  return [...circles.values()];
};

/** Everything about these files that breaks the law; `path` is relative to the project. */
export const violationsOf = (files: readonly SourceFile[]): Violation[] => {
  const product = files.filter(({ path }) => !isIn('test', path));
  const arrows = product.flatMap(arrowsOf);
  const circles = circlesAmong(arrows).map((circle) => ({
    where: circle[0] ?? '',
    what: `stands in a circle of folders: ${circle.join(', ')}.`,
  }));
  const counts = Map.groupBy(files, ({ path }) => folderOf(path));
  const crowded = [...counts]
    .filter(([, inside]) => inside.length > MAX_FILES)
    .map(([folder, inside]) => ({
      where: folder,
      what: `holds ${inside.length} files; the limit is ${MAX_FILES}: find its rooms.`,
    }));
  return [...arrows.flatMap(judge), ...circles, ...crowded];
};
