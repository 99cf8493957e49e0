// npm run cost -- --nodes 1000: what a hub on AWS costs a month. See --help, and docs/cost.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { measureBatchCpu } from '../batch-cpu.ts';
import type { BatchCpu } from './cost-inputs.ts';
import { monthlyBill } from './cost-model.ts';
import { COST_HELP, type CostOptions, parseCostOptions } from './cost-options.ts';
import { toJson, toText } from './cost-report.ts';
import { toMarkdown, withTables } from './cost-tables.ts';
import { HUB_SHAPE } from './hub-shape.ts';
import { highlyAvailable, singleInstance } from './self-hosted.ts';

const PAGE = join(import.meta.dirname, '../../docs/cost.md');
const MEASUREMENT = join(import.meta.dirname, 'last-measurement.json');

try {
  const options = parseCostOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(COST_HELP);
  else await print(options);
} catch (error) {
  console.error(`cost: ${(error as Error).message}`);
  process.exitCode = 2;
}

async function print(options: CostOptions): Promise<void> {
  const { inputs, output } = options;
  const cpu = await cpuOf(options);
  if (options.writeDocs) writeTables();
  if (output === 'markdown') {
    process.stdout.write(toMarkdown(inputs, cpu, HUB_SHAPE));
    return;
  }
  const bill = monthlyBill(inputs, cpu, HUB_SHAPE);
  const alternatives = [singleInstance(inputs), highlyAvailable(inputs)];
  const report = { inputs, cpu, shape: HUB_SHAPE, bill, alternatives };
  process.stdout.write(output === 'json' ? toJson(report) : toText(report));
}

/** The page has the usual fleet, and what was measured last. */
function writeTables(): void {
  const tables = toMarkdown(parseCostOptions([]).inputs, lastMeasured(), HUB_SHAPE);
  writeFileSync(PAGE, withTables(readFileSync(PAGE, 'utf8'), tables));
}

/** CPU times that were given, else measured now, else measured last. */
async function cpuOf(options: CostOptions): Promise<BatchCpu & { from: string }> {
  const { ingestMs, processorMs } = options;
  if (ingestMs !== undefined && processorMs !== undefined) return { ingestMs, processorMs, from: 'given' };
  const known = options.measure ? await measured(options.save) : lastMeasured();
  if (ingestMs === undefined && processorMs === undefined) return known;
  const given = ingestMs === undefined ? 'processor given' : 'ingest given';
  return {
    ingestMs: ingestMs ?? known.ingestMs,
    processorMs: processorMs ?? known.processorMs,
    from: `${given}, the other ${known.from}`,
  };
}

function lastMeasured(): BatchCpu & { from: string } {
  const { ingestMs, processorMs, date, machine } = JSON.parse(readFileSync(MEASUREMENT, 'utf8'));
  return { ingestMs, processorMs, from: `measured ${date}, ${machine}` };
}

async function measured(save: boolean): Promise<BatchCpu & { from: string }> {
  const { ingestMs, processorMs, batchBytes } = await measureBatchCpu();
  const per100Kb = (ms: number) => Number(((ms * 100_000) / batchBytes).toFixed(2));
  const cpu = { ingestMs: per100Kb(ingestMs), processorMs: per100Kb(processorMs) };
  const machine = `${cpus().length} × ${cpus()[0]!.model.trim()}, Node.js ${process.version}`;
  if (save) {
    const date = new Date().toISOString().slice(0, 10);
    writeFileSync(MEASUREMENT, `${JSON.stringify({ date, machine, ...cpu }, null, 2)}\n`);
  }
  return { ...cpu, from: `measured now, ${machine}` };
}
