// The tables of docs/cost.md: npm run cost -- --no-measure --output markdown. A test holds the page to them.
import { type BatchCpu, type Bill, type CostInputs, type HubShape, monthlyBill } from './cost-model.ts';
import { highlyAvailable, singleInstance } from './self-hosted.ts';

const FLEETS = [10, 100, 1000, 10_000];
const FLUSHES = [30, 60];

/** Fleets by nodes and flush, each beside a relay and servers of one's own; then one fleet by component. */
export function toMarkdown(inputs: CostInputs, cpu: BatchCpu, shape: HubShape): string {
  return [...fleetTable(inputs, cpu, shape), '', ...componentTable(monthlyBill(inputs, cpu, shape)), ''].join(
    '\n',
  );
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
