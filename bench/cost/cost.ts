// npm run cost -- --nodes 1000: what a hub on AWS costs a month. See --help, and docs/cost.md.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BatchCpu, monthlyBill } from './cost-model.ts';
import { COST_HELP, type CostOptions, parseCostOptions } from './cost-options.ts';
import { toJson, toText } from './cost-report.ts';
import { toMarkdown } from './cost-tables.ts';
import { HUB_SHAPE } from './hub-shape.ts';
import { highlyAvailable, singleInstance } from './self-hosted.ts';

const MEASUREMENT = join(import.meta.dirname, 'last-measurement.json');

try {
  const options = parseCostOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(COST_HELP);
  else print(options);
} catch (error) {
  console.error(`cost: ${(error as Error).message}`);
  process.exitCode = 2;
}

function print(options: CostOptions): void {
  const { inputs, output } = options;
  const cpu = cpuOf(options);
  if (output === 'markdown') {
    process.stdout.write(toMarkdown(inputs, cpu, HUB_SHAPE));
    return;
  }
  const bill = monthlyBill(inputs, cpu, HUB_SHAPE);
  const alternatives = [singleInstance(inputs), highlyAvailable(inputs)];
  const report = { inputs, cpu, shape: HUB_SHAPE, bill, alternatives };
  process.stdout.write(output === 'json' ? toJson(report) : toText(report));
}

/** CPU times that were given, else measured last. */
function cpuOf({ ingestMs, processorMs }: CostOptions): BatchCpu & { from: string } {
  const last = JSON.parse(readFileSync(MEASUREMENT, 'utf8'));
  const known = { ...last, from: `measured ${last.date}, ${last.machine}` };
  if (ingestMs === undefined && processorMs === undefined) return known;
  return {
    ingestMs: ingestMs ?? known.ingestMs,
    processorMs: processorMs ?? known.processorMs,
    from: ingestMs === undefined || processorMs === undefined ? `one given, one ${known.from}` : 'given',
  };
}
