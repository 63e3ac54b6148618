/** Calls into a process of its own, over Node's IPC channel: what is measured, what measures and what answers never share an event loop. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

type Calls = Record<string, (argument: never) => unknown>;
type Question = { id: number; name: string; argument: unknown };
type Answer = { id: number; result?: unknown; error?: string };

/** In the child: answers the parent's calls, and ends with it. */
export const serveParent = (calls: Calls): void => {
  process.once('disconnect', () => process.exit(0));
  process.on('message', ({ id, name, argument }: Question) => {
    const run = async (): Promise<unknown> => {
      const call = calls[name];
      if (!call) throw new Error(`no call ${name}`);
      // The cast: `Remote` has checked the parent's argument against this call.
      return call(argument as never);
    };
    run().then(
      (result) => process.send?.({ id, result } satisfies Answer),
      (error: unknown) => process.send?.({ id, error: String(error) } satisfies Answer),
    );
  });
};

export type Remote<C extends Calls> = {
  pid: number;
  call: <Name extends keyof C & string>(
    name: Name,
    argument: Parameters<C[Name]>[0],
  ) => Promise<Awaited<ReturnType<C[Name]>>>;
  stop: () => Promise<void>;
};

export const startRemote = <C extends Calls>(file: URL): Remote<C> => {
  const child: ChildProcess = fork(file, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const waiting = new Map<number, PromiseWithResolvers<never>>();
  const exited = once(child, 'exit');
  let asked = 0;
  child.on('message', ({ id, result, error }: Answer) => {
    const caller = waiting.get(id);
    waiting.delete(id);
    // The cast: the child's own types say what this call answers.
    if (error === undefined) caller?.resolve(result as never);
    else caller?.reject(new Error(`${file.pathname.split('/').at(-1)}: ${error}`));
  });
  child.on('exit', () => {
    for (const caller of waiting.values()) caller.reject(new Error(`${file.pathname} ended in the middle of a call`));
    waiting.clear();
  });
  return {
    pid: child.pid ?? 0,
    call: (name, argument) => {
      const caller = Promise.withResolvers<never>();
      waiting.set(++asked, caller);
      child.send({ id: asked, name, argument } satisfies Question);
      return caller.promise;
    },
    stop: async () => {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
};
