/**
 * Before all tests: where a container engine answers, one Redis in a container (image: REDIS_IMAGE) serves every test that does not kill its server.
 * Elsewhere each test file has a server of its own.
 */
import { GenericContainer, getContainerRuntimeClient } from 'testcontainers';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Null: no container engine. */
    containerRedisUrl: string | null;
  }
}

const PORT = 6379;

const say = (text: string): void => {
  process.stderr.write(`Redis for the tests: ${text}\n`);
};

export default async (project: TestProject): Promise<(() => Promise<void>) | undefined> => {
  project.provide('containerRedisUrl', null);
  const engine = await getContainerRuntimeClient().catch(() => null);
  if (!engine) {
    say('a server of its own for each file (no container engine answers)');
    return undefined;
  }
  const image = process.env.REDIS_IMAGE ?? 'docker.io/library/redis:7';
  try {
    const container = await new GenericContainer(image)
      .withCommand(['redis-server', '--maxmemory-policy', 'noeviction', '--hash-max-listpack-value', '1024'])
      .withExposedPorts(PORT)
      .start();
    project.provide('containerRedisUrl', `redis://${container.getHost()}:${container.getMappedPort(PORT)}`);
    say(`a container of ${image}`);
    return async () => {
      await container.stop();
    };
  } catch (error) {
    say(`a server of its own for each file (${image} does not start: ${String(error).slice(0, 200)})`);
    return undefined;
  }
};
