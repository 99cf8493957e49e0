import { ASSUMPTIONS, type BatchCpu, type CostInputs, type HubShape } from './cost-inputs.ts';
import type { Bill } from './cost-model.ts';
import { LIST_PRICES, PRICE_DATE, PRICE_REGION } from './list-prices.ts';
import { type Alternative, SELF_HOSTED_ASSUMPTIONS } from './self-hosted.ts';

/** Everything that a run of the model says. */
export interface CostReport {
  readonly inputs: CostInputs;
  /** CPU times, and how they came about. */
  readonly cpu: BatchCpu & { readonly from: string };
  readonly shape: HubShape;
  readonly bill: Bill;
  readonly alternatives: readonly Alternative[];
}

/** The report as one JSON object, with all prices and assumptions. */
export function toJson(report: CostReport): string {
  const prices = { region: PRICE_REGION, date: PRICE_DATE, currency: 'USD', list: LIST_PRICES };
  const assumptions = { hub: ASSUMPTIONS, selfHosted: SELF_HOSTED_ASSUMPTIONS };
  return `${JSON.stringify({ ...report, prices, assumptions }, null, 2)}\n`;
}

/** The report for people. */
export function toText(report: CostReport): string {
  const { inputs, cpu, bill } = report;
  const fleet =
    `${grouped(inputs.nodes)} nodes, a batch of ${inputs.batchKb} KB every ${inputs.flushSeconds} s, ` +
    `${inputs.retentionDays} days, ${grouped(inputs.queriesPerDay)} queries a day${inputs.relay ? ', relays' : ''}`;
  return [
    `${fleet}: $${money(bill.total)} a month`,
    `${(bill.batches / 1e6).toFixed(1)} million batches, ${grouped(bill.gigabytes)} GB, ${bill.batchesPerBlock.toFixed(0)} batches a block`,
    '',
    ...componentLines(bill),
    '',
    "Beside it, the same bytes sent to a server of one's own",
    ...report.alternatives.map(
      ({ name, usd, basis }) => `  ${name.padEnd(24)} $${money(usd).padStart(8)}  ${basis}`,
    ),
    '',
    `CPU per 100 KB batch: ${cpu.ingestMs.toFixed(1)} ms in ingest, ${cpu.processorMs.toFixed(1)} ms in the processor (${cpu.from})`,
    `Prices: list, ${PRICE_REGION}, ${PRICE_DATE}; free tiers and taxes left out`,
    `Assumed: ${assumptionText(ASSUMPTIONS)}`,
    `Assumed of Pyroscope: ${assumptionText(SELF_HOSTED_ASSUMPTIONS)}`,
    ...(inputs.relay ? ['There is no relay yet: its figures say what building one would bring.'] : []),
    '',
  ].join('\n');
}

function componentLines(bill: Bill): string[] {
  const { components, total, batches, perMillionBatches, allPerMillionBatches } = bill;
  const whole = `what grows with batches; all of it: ${allPerMillionBatches.toFixed(2)}`;
  const line = (name: string, usd: string, perMillion: string, basis: string) =>
    `  ${name.padEnd(16)}  ${usd.padStart(10)}  ${perMillion.padStart(13)}  ${basis}`.trimEnd();
  const rows = components.map(({ name, usd, basis, perBatch }) =>
    line(name, money(usd), perBatch ? (usd / (batches / 1e6)).toFixed(2) : '', basis),
  );
  return [
    line('component', '$ a month', '$ per million', 'basis'),
    ...rows,
    line('total', money(total), perMillionBatches.toFixed(2), whole),
  ];
}

function assumptionText(assumptions: object): string {
  return Object.entries(assumptions)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : rounded(value)}`)
    .join(', ');
}

function rounded(value: number): number {
  return Number(value.toPrecision(7));
}

function money(usd: number): string {
  return usd.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

function grouped(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}
