import type { Clock } from '../clock.ts';
import {
  type Engine,
  type EngineCondition,
  type EngineEvents,
  type Log,
  restingCondition,
} from '../engine/engine.ts';
import type { InspectorLink } from './inspector-link.ts';
import { writeOtlp } from './otlp-writer.ts';
import { type V8Profile, v8Stacks } from './v8-stacks.ts';

/** One process is sampled more often than a whole node is: its profile would be empty else. */
export const NODE_FREQUENCY_MIN = 97;

export interface NodeProfilerOptions {
  readonly links: readonly InspectorLink[];
  /** Samples per second. */
  readonly frequency: number;
  readonly windowSeconds: number;
  /** Now, ms since epoch on the hub's clock. */
  readonly now: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The engine for where no process but one's own may be sampled: profiles Node.js processes through V8's inspector, in
 * the same windows and the same layout as the sampler does.
 */
export class NodeProfiler implements Engine {
  readonly name = 'node';
  readonly condition: EngineCondition = restingCondition;
  crashes = 0;
  readonly #options: NodeProfilerOptions;
  readonly #events: EngineEvents;
  readonly #frequency: number;
  readonly #stopped = new AbortController();
  readonly #cpuBefore = new Map<InspectorLink, number>();
  #run: Promise<void> = Promise.resolve();

  constructor(options: NodeProfilerOptions, events: EngineEvents) {
    this.#options = options;
    this.#events = events;
    this.#frequency = Math.max(options.frequency, NODE_FREQUENCY_MIN);
  }

  start(): void {
    this.#run = this.#keepProfiling();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#run;
    for (const link of this.#options.links) link.close();
  }

  async #keepProfiling(): Promise<void> {
    const { links, now, clock, windowSeconds } = this.#options;
    const windowMs = windowSeconds * 1000;
    this.#events.started(process.pid);
    // Each on its own: one that does not answer must not hold up the others.
    const started = new Set<InspectorLink>();
    for (const link of links) {
      void this.#attempt(link, () => this.#begin(link)).then((isStarted) => isStarted && started.add(link));
    }
    while (!this.#stopped.signal.aborted) {
      const startMs = now();
      const windowStartMs = Math.floor(startMs / windowMs) * windowMs;
      await clock.sleep(windowStartMs + windowMs - startMs, this.#stopped.signal);
      const taken = await Promise.all(
        [...started].map((link) => this.#takeFrom(link, started, windowStartMs)),
      );
      const sum = taken.reduce((all, samples) => all + samples, 0);
      this.#events.windowClosed({
        windowStartMs,
        windowEndMs: windowStartMs + windowMs,
        taken: sum,
        lost: 0,
      });
    }
  }

  /** Samples of one process in the window that ends now; 0, and never again, when it cannot be profiled any more. */
  async #takeFrom(link: InspectorLink, started: Set<InspectorLink>, windowStartMs: number): Promise<number> {
    let taken = 0;
    const isAlive = await this.#attempt(link, async () => {
      taken = await this.#profile(link, windowStartMs, this.#options.windowSeconds * 1000);
    });
    if (!isAlive) started.delete(link);
    return taken;
  }

  async #begin(link: InspectorLink): Promise<void> {
    await link.post('Profiler.enable');
    await link.post('Profiler.setSamplingInterval', { interval: Math.round(1e6 / this.#frequency) });
    await link.post('Profiler.start');
    this.#cpuBefore.set(link, await cpuMicroseconds(link));
  }

  /** Takes what was sampled and goes on. @returns samples */
  async #profile(link: InspectorLink, startMs: number, durationMs: number): Promise<number> {
    const { profile } = (await link.post('Profiler.stop')) as { profile: V8Profile };
    if (!this.#stopped.signal.aborted) await link.post('Profiler.start');
    const cpu = await cpuMicroseconds(link);
    const used = cpu - (this.#cpuBefore.get(link) ?? cpu);
    this.#cpuBefore.set(link, cpu);
    const periodNs = Math.round(1e9 / this.#frequency);
    const { stacks, samples } = v8Stacks(profile, (used * 1000) / periodNs);
    if (samples === 0) return 0;
    const resource = new Map<string, string | number>([
      ['process.pid', link.pid],
      ['process.executable.name', 'node'],
      ['process.executable.path', process.execPath],
    ]);
    this.#events.profiles(writeOtlp({ resource, startMs, durationMs, periodNs, samples: stacks }));
    return samples;
  }

  async #attempt(link: InspectorLink, act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      this.#options.log('warn', `process ${link.pid} cannot be profiled: ${(error as Error).message}`);
      return false;
    }
  }
}

/** CPU time that a process used since its start. */
async function cpuMicroseconds(link: InspectorLink): Promise<number> {
  const params = { expression: 'process.cpuUsage()', returnByValue: true };
  const { result } = (await link.post('Runtime.evaluate', params)) as {
    result: { value?: { user: number; system: number } };
  };
  return (result.value?.user ?? 0) + (result.value?.system ?? 0);
}
