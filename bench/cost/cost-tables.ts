// The tables of docs/cost.md: npm run cost -- --no-measure --write-docs. A test holds the page to them.
import type { BatchCpu, CostInputs, HubShape } from './cost-inputs.ts';
import { type Bill, monthlyBill } from './cost-model.ts';
import { highlyAvailable, singleInstance } from './self-hosted.ts';

const FLEETS = [10, 100, 1000, 10_000];
const FLUSHES = [30, 60];

/** Fleets by nodes and flush, each beside a relay and servers of one's own; then one fleet by component. */
export function toMarkdown(inputs: CostInputs, cpu: BatchCpu, shape: HubShape): string {
  return [...fleetTable(inputs, cpu, shape), '', ...componentTable(monthlyBill(inputs, cpu, shape)), ''].join(
    '\n',
  );
}

/**
 * A page with its tables made anew: those whose first line is that of one of ours.
 * @throws Error when a table is not in the page
 */
export function withTables(page: string, tables: string): string {
  return tables
    .trim()
    .split('\n\n')
    .reduce((text, table) => {
      const start = text.indexOf(table.slice(0, table.indexOf('\n') + 1));
      if (start < 0) throw new Error(`the page has no table that begins with ${table.split('\n', 1)[0]}`);
      const end =
        start +
        text
          .slice(start)
          .match(/^(?:\|.*\n?)*/)![0]
          .trimEnd().length;
      return text.slice(0, start) + table + text.slice(end);
    }, page);
}

function fleetTable(inputs: CostInputs, cpu: BatchCpu, shape: HubShape): string[] {
  const header = [
    '| nodes | flush | batches a month | $ a month | $ per million | with relays, $ | Pyroscope, one instance, $ | Pyroscope, three zones, $ |',
    '|---:|---:|---:|---:|---:|---:|---:|---:|',
  ];
  const rows = FLEETS.flatMap((nodes) =>
    FLUSHES.map((flushSeconds) => {
      const fleet = { ...inputs, nodes, flushSeconds, relay: false };
      const bill = monthlyBill(fleet, cpu, shape);
      const relayed = monthlyBill({ ...fleet, relay: true }, cpu, shape);
      const cells = [
        whole(nodes),
        `${flushSeconds} s`,
        `${(bill.batches / 1e6).toFixed(1)} M`,
        whole(bill.total),
        bill.perMillionBatches.toFixed(2),
        whole(relayed.total),
        whole(singleInstance(fleet).usd),
        whole(highlyAvailable(fleet).usd),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  );
  return [...header, ...rows];
}

function componentTable({ components, total, batches, perMillionBatches }: Bill): string[] {
  const rows = components.map(({ name, usd, basis, perBatch }) => {
    const perMillion = perBatch ? (usd / (batches / 1e6)).toFixed(2) : '';
    return `| ${name} | ${usd.toFixed(2)} | ${perMillion} | ${basis} |`;
  });
  return [
    '| component | $ a month | $ per million batches | made of |',
    '|---|---:|---:|---|',
    ...rows,
    `| **total** | **${total.toFixed(2)}** | **${perMillionBatches.toFixed(2)}** | |`,
  ];
}

function whole(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}
