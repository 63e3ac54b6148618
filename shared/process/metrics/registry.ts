/** What a process tells Prometheus of itself. Labels are names of ours only: never a tenant, a model or anything else that a client writes. */
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { RunCommand } from '../../storage/commands/command.ts';

/** Of its own, and not the library's global one. With the library's metrics of the process: CPU, memory, event-loop delay, garbage collection. */
export const createMetricsRegistry = (process: 'api' | 'worker'): Registry => {
  const registry = new Registry();
  registry.setDefaultLabels({ process });
  collectDefaultMetrics({ register: registry });
  return registry;
};

/** The same scripts, with the time of each round trip to Redis. */
export const timeScripts = (run: RunCommand, registry: Registry): RunCommand => {
  const seconds = new Histogram({
    name: 'gateway_redis_seconds',
    help: 'Round trips to Redis, by script.',
    labelNames: ['script'] as const,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1],
    registers: [registry],
  });
  return async (command, tag, input) => {
    const startedMs = performance.now();
    try {
      return await run(command, tag, input);
    } finally {
      seconds.observe({ script: command.name }, (performance.now() - startedMs) / 1_000);
    }
  };
};
