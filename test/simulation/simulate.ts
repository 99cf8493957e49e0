import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SimulatedYear } from './simulated-year.ts';
import { simulationReport } from './simulation-report.ts';

// npm run simulate [-- --days 365 --scale 1 --seed N --output text|json]: a fleet and its hub on virtual time, with faults. One
// test, and the figures of the run as tables, or as JSON: a line at the end of each month and one at the end. It fails at
// the first sum that is not what came, and says with which seed.

const { values } = parseArgs({
  options: {
    days: { type: 'string', default: '60' },
    scale: { type: 'string', default: '1' },
    output: { type: 'string', default: 'text' },
    seed: { type: 'string', default: process.env.CINDERBLOCK_SEED ?? '1' },
  },
});
const [days, scale, seed] = [Number(values.days), Number(values.scale), Number(values.seed)];
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

const failure = await simulate().then(
  () => undefined,
  (cause: Error) => {
    const again = `repeat with npm run simulate -- --days ${days} --scale ${scale} --seed ${seed}`;
    return new Error(`${cause.message}; ${again}`, { cause });
  },
);
// Loaded afterwards: the runner follows every promise of what runs within it, which takes a third of the time.
const { test } = await import('node:test');
test(`${days} days of a fleet: every sum is what came, at every level`, () => {
  if (failure !== undefined) throw failure;
});

async function simulate(): Promise<void> {
  const folder = mkdtempSync(join(memory, 'cinderblock-simulation-'));
  const begun = performance.now();
  const seconds = () => Math.round((performance.now() - begun) / 1000);
  const tell = (line: string) => {
    console.error(`${seconds()} s, ${line}`);
    if (values.output === 'json')
      console.log(JSON.stringify({ days, scale, seed, seconds: seconds(), ...year.result() }));
  };
  const year = new SimulatedYear({ days, scale, seed, folder, tell });
  try {
    await year.run();
    const result = { days, scale, seed, seconds: seconds(), ...year.result() };
    console.log(values.output === 'json' ? JSON.stringify(result) : simulationReport(result));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
