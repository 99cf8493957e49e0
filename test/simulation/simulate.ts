import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureJob } from './measure-job.ts';
import { SimulatedYear, YEAR_START } from './simulated-year.ts';
import { type SimulationResult, simulationReport } from './simulation-report.ts';

// npm run simulate [-- --days 365 --scale 1 --seed N --output text|json --write FILE --from FILE]: a fleet and its hub on virtual
// time, with faults. One test, and the figures of the run as tables, or as JSON: a line at the end of each month and one at
// the end. It fails at the first sum that is not what came, and says with which seed. `--write` puts the tables between the marks
// of a page (docs/simulation.md); `--from` takes them of the last line of an earlier run in JSON, and runs nothing.

const { values } = parseArgs({
  options: {
    days: { type: 'string', default: '60' },
    scale: { type: 'string', default: '1' },
    output: { type: 'string', default: 'text' },
    seed: { type: 'string', default: process.env.CINDERBLOCK_SEED ?? '1' },
    write: { type: 'string' },
    from: { type: 'string' },
  },
});
const [days, scale, seed] = [Number(values.days), Number(values.scale), Number(values.seed)];
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const [BEGIN, END] = ['<!-- figures of a run: npm run simulate writes them -->', '<!-- end of figures -->'];

if (values.from !== undefined) {
  tell(
    JSON.parse(
      readFileSync(values.from, 'utf8')
        .split('\n')
        .findLast((line) => line.startsWith('{'))!,
    ),
  );
  process.exit();
}
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
  const run = () => ({ days, scale, seed, seconds: seconds(), ...year.result() });
  const year = new SimulatedYear({
    ...{ days, scale, seed, folder: join(folder, 'hub') },
    tell: (line) => {
      console.error(`${seconds()} s, ${line}`);
      if (values.output === 'json') console.log(JSON.stringify(run()));
    },
  });
  try {
    await year.run();
    mkdirSync(join(folder, 'job'));
    const job = await measureJob(
      year.largestJob!,
      join(folder, 'job'),
      YEAR_START + (days + 60) * 86_400_000,
    );
    tell({ ...run(), job });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function tell(result: SimulationResult): void {
  const report = simulationReport(result);
  console.log(values.output === 'json' ? JSON.stringify(result) : report);
  if (values.write === undefined) return;
  const page = readFileSync(values.write, 'utf8');
  const [before, after] = [page.split(BEGIN)[0]!, page.split(END)[1]];
  if (after === undefined) throw new Error(`${values.write} has no marks ${BEGIN} and ${END}`);
  writeFileSync(values.write, `${before}${BEGIN}\n\n${report}\n${END}${after}`);
}
