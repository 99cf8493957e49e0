import { priceOf } from '../../bench/cost/list-prices.ts';
import type { Month } from './figures.ts';

// Counted calls of the ports as requests to AWS, at list prices. Units per call are those of docs/design/0003; what queries,
// heartbeats, alarms and logs cost is in docs/cost.md.

export interface CostLine {
  readonly name: string;
  /** US dollars. */
  readonly usd: number;
  readonly basis: string;
}

/** Write units: a row, a block's share of the transaction that removes or adds it, its mark. Read units: finding an hour, the ledger of an hour. */
const UNITS = { publish: 3, swappedBlock: 4, forget: 2, find: 18, ledgerHour: 4 };
const MESSAGES_PER_REQUEST = 10;
/** A function that compacts has a whole core and more with this memory, MB. */
const COMPACTION_MEMORY_MB = 1769;
const DAYS_PER_MONTH = 30.4;

/** What the time between the ends of two months, or since the beginning, cost by the calls that were counted in it. */
export function costBetween(
  before: Month | undefined,
  month: Month,
): { components: CostLine[]; total: number } {
  const of = (end: Month | undefined, name: string) => end?.calls[name] ?? 0;
  const calls = (...names: readonly string[]) =>
    names.reduce((sum, name) => sum + of(month, name) - of(before, name), 0);
  const puts = calls('objects.put', 'objects.list');
  const gets = calls('objects.get', 'objects.getRange', 'objects.getTail');
  const swapped = calls('catalog.blocksRemoved', 'catalog.blocksAdded');
  const writes =
    calls('catalog.publish') * UNITS.publish +
    swapped * UNITS.swappedBlock +
    calls('catalog.forget') * UNITS.forget;
  const reads =
    calls('catalog.find') * UNITS.find + calls('catalog.get', 'catalog.listDeletionMarks', 'catalog.list');
  const leases = calls('leases.acquire', 'leases.renew', 'leases.release');
  const cpuMs = (month.cpuMs.compaction ?? 0) - (before?.cpuMs.compaction ?? 0);
  const gbSeconds = (cpuMs / 1000) * (COMPACTION_MEMORY_MB / 1024);
  const bytes = month.holdings.reduce((sum, holding) => sum + holding.bytes, 0);
  const months = (month.days - (before?.days ?? 0)) / DAYS_PER_MONTH;
  const lines: [string, number, string][] = [
    [
      'queue',
      priceOf('sqsRequest', calls('queue.send') * (1 + 2 / MESSAGES_PER_REQUEST)),
      'a send a batch, ten to a receive and a delete',
    ],
    ['ledger', priceOf('dynamoWriteUnit', calls('registry.recordBatch')), 'a write unit a batch'],
    ['object writes', priceOf('s3Put', puts), `${puts} PUTs`],
    ['object reads', priceOf('s3Get', gets), `${gets} GETs`],
    [
      'catalog writes',
      priceOf('dynamoWriteUnit', writes),
      `${writes} write units, ${swapped} blocks swapped`,
    ],
    ['catalog reads', priceOf('dynamoReadUnit', reads), `${reads} read units`],
    ['leases', priceOf('dynamoWriteUnit', leases), `${leases} write units`],
    [
      'settings',
      priceOf('dynamoReadUnit', calls('registry.setting')) +
        priceOf('dynamoWriteUnit', calls('registry.putSetting')),
      `${calls('registry.setting')} read units, ${calls('registry.putSetting')} write units: policies, deletions, sums of loss`,
    ],
    [
      'sums of loss',
      priceOf('dynamoReadUnit', calls('registry.listBatchSequences') * UNITS.ledgerHour),
      `${calls('registry.listBatchSequences')} hours of the ledger read`,
    ],
    [
      'compaction',
      priceOf('lambdaGbSecond', gbSeconds),
      `${Math.round(gbSeconds)} GB-seconds at ${COMPACTION_MEMORY_MB} MB`,
    ],
    [
      'storage',
      priceOf('s3GbMonth', (bytes / 1e9) * months),
      `${(bytes / 1e6).toFixed(1)} MB, as at the end`,
    ],
  ];
  const components = lines.map(([name, usd, basis]) => ({ name, usd, basis }));
  return { components, total: components.reduce((sum, { usd }) => sum + usd, 0) };
}
