/** Wall-clock and CPU time of one run, in ms. CPU time counts all threads of the process. */
export interface Cost {
  readonly ms: number;
  readonly cpuMs: number;
}

export async function costOf<T>(run: () => T | Promise<T>): Promise<Cost & { result: T }> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const result = await run();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { result, ms, cpuMs: (user + system) / 1000 };
}

/** The cheapest of several runs, after one that is not counted: the least disturbed one says most about the code. */
export async function leastCost<T>(runs: number, run: () => T | Promise<T>): Promise<Cost & { result: T }> {
  await run();
  let best = await costOf(run);
  for (let i = 1; i < runs; i++) {
    const next = await costOf(run);
    if (next.ms < best.ms) best = next;
  }
  return best;
}
