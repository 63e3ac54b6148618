/** Commands on their way to Redis: as functions of a library, or as scripts on a server that lets us load none. */
import type { Redis } from 'ioredis';
import { answerOf, isRefusedFunction, isUnknownFunction, isUnknownScript } from '../../redis/unavailable.ts';
import { type Argument, argumentsOf, type RunCommand } from '../command.ts';
import { COMMANDS } from './catalogue.ts';
import { composeCommands, type Library } from './compose.ts';

/** Read and put together once, as the process starts. */
const { library, scripts } = composeCommands(COMMANDS);

/** The name of the library that this release calls. */
export const LIBRARY_NAME = library.name;

const loadLibrary = async (redis: Redis, { name, text }: Library): Promise<void> => {
  try {
    await redis.function('LOAD', text);
  } catch (error) {
    // Another process was first.
    const loaded = (await redis.function('LIST', 'LIBRARYNAME', name)) as unknown[];
    if (loaded.length === 0) throw error;
  }
};

/** `onRefused` is called once if the server does not let us load or call functions: scripts do the same, and take it longer. */
export const createCommands = (redis: Redis, onRefused: () => void = () => {}): RunCommand => {
  let asScripts = false;
  let loading: Promise<void> | null = null;
  const load = (): Promise<void> => {
    loading ??= loadLibrary(redis, library).finally(() => {
      loading = null;
    });
    return loading;
  };

  const runScript = async (name: string, tag: string, args: readonly Argument[]): Promise<unknown> => {
    const script = scripts.get(name);
    if (!script) throw new Error(`no command ${name}`);
    // The text goes along only if the server does not know the script yet.
    return redis
      .evalsha(script.sha, 1, tag, ...args)
      .catch((error: unknown) =>
        isUnknownScript(error) ? redis.eval(script.text, 1, tag, ...args) : Promise.reject(error),
      );
  };
  const runFunction = async (name: string, tag: string, args: readonly Argument[]): Promise<unknown> => {
    const call = (): Promise<unknown> => redis.fcall(library.functionOf(name), 1, tag, ...args);
    try {
      return await call();
    } catch (error) {
      if (!isUnknownFunction(error)) throw error;
      await load();
      return call();
    }
  };

  return async (command, tag, input) => {
    const args = argumentsOf(command.inputs, input);
    const answer = async (): Promise<unknown> => {
      if (asScripts) return runScript(command.name, tag, args);
      try {
        return await runFunction(command.name, tag, args);
      } catch (error) {
        if (!isRefusedFunction(error)) throw error;
        if (!asScripts) onRefused();
        asScripts = true;
        return runScript(command.name, tag, args);
      }
    };
    // A cast because the form of an answer is that in the header of the command's text.
    return (await answerOf(answer())) as never;
  };
};
