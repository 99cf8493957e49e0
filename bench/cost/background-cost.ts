// What schedules call: plans of compaction, sums of loss, and the housekeeper's other tasks.
import { type CostComponent, perBatch } from './cost-component.ts';
import { ASSUMPTIONS, type CostInputs, type HubShape } from './cost-inputs.ts';
import { compute } from './function-time.ts';
import { ledgerReadUnits, READ_UNIT_BYTES } from './ledger-units.ts';
import { priceOf } from './list-prices.ts';

/** What finding the blocks of an hour reads besides them. docs/design/0003. */
export const FIND_READ_UNITS = 18;
/** What a search for the blocks of a day reads besides them: 12 queries and 2 gets. */
const SEARCH_READ_UNITS = 7;
/** An hour is summed again in the 10 minutes after its end, and at five ages; each time all of it. pipeline/sum-loss.ts. */
const SUM_FRESH_SECONDS = 600;
const SUM_AGES = 5;
/** Of a run: its lease, the state, and the sums of an hour. */
const SUM_WRITE_UNITS = 8;
/** Of a boot, carried from hour to hour: written when the hour is over, and twice as late batches come. */
const BOOT_BYTES = 23;
const BOOT_WRITES = 3;
const WRITE_UNIT_BYTES = 1024;
/** Read at most by one check for damage, which happens every hour: SCRUB_BYTES_MAX of pipeline/scrub-blocks.ts. */
const SCRUB_GIGABYTES = 2 ** 30 / 1e9;

/** Each plan reads the rows of all blocks of its days; those that are not sealed name the batches that they hold. */
export function plans(
  { batches, blocks, storedGb }: { batches: number; blocks: number; storedGb: number },
  shape: HubShape,
): CostComponent {
  const { monthSeconds, planFreshHours, planAllHours, blocksPerMerge, lambdaCoreSpeed } = ASSUMPTIONS;
  const { familyMib, servicesPerNode, namedBatchBytes, namedBatchMs } = ASSUMPTIONS;
  const hours = monthSeconds / 3600;
  const families = Math.max(1, (storedGb * 1e9) / hours / (familyMib * 2 ** 20));
  // A block names the batches whose rows it has, and a batch has rows of as many services as its node.
  const named = (batches / hours) * Math.min(families, servicesPerNode);
  const costOf = (count: number, planHours: number) => {
    const searches = Math.ceil(planHours / 24) + 1;
    const rows = 3 * families * planHours + blocks / hours / blocksPerMerge;
    const bytes = named * planHours * namedBatchBytes;
    const units = searches * SEARCH_READ_UNITS + rows + Math.ceil(bytes / READ_UNIT_BYTES);
    const cpuMs = (named * planHours * namedBatchMs) / lambdaCoreSpeed + units;
    const usd =
      calls(count) + compute(count, cpuMs, shape.plannerMemoryMb) + priceOf('dynamoReadUnit', count * units);
    return { usd, units: Math.round(units) };
  };
  const fresh = costOf(monthSeconds / shape.planSeconds, planFreshHours);
  const all = costOf(monthSeconds / shape.planAllSeconds, planAllHours);
  const note = `${fresh.units} read units every ${shape.planSeconds} s, ${all.units} every ${shape.planAllSeconds} s`;
  return perBatch('plans', fresh.usd + all.usd, note);
}

/** The ledger of the hour that goes on is read in every run, half of it in the mean; that of an hour that is over, whole. */
export function lossSums(
  { batches }: { batches: number },
  { nodes }: CostInputs,
  shape: HubShape,
): CostComponent {
  const { monthSeconds, lossRecordMs, lambdaCoreSpeed } = ASSUMPTIONS;
  const hours = monthSeconds / 3600;
  const runs = 3600 / shape.lossSumSeconds;
  const reads = runs / 2 + SUM_FRESH_SECONDS / shape.lossSumSeconds + SUM_AGES;
  const units = reads * ledgerReadUnits(batches / hours, nodes);
  const writes = runs * SUM_WRITE_UNITS + BOOT_WRITES * Math.ceil((nodes * BOOT_BYTES) / WRITE_UNIT_BYTES);
  const usd =
    compute(batches * reads, lossRecordMs / lambdaCoreSpeed, shape.housekeeperMemoryMb) +
    priceOf('dynamoReadUnit', hours * units) +
    priceOf('dynamoWriteUnit', hours * writes);
  const perDay = Math.round((units * 24) / 1000);
  return perBatch('sums of loss', usd, `${perDay} thousand read units of the ledger a day`);
}

/** Calls for all tasks, and checking what is stored for damage. What deleting blocks writes is in the block catalog. */
export function housekeeping(storedGigabytes: number, shape: HubShape): CostComponent {
  const { monthSeconds, housekeepingWaitMs, scrubMbPerSecond, scrubGetMb } = ASSUMPTIONS;
  const count = (shape.housekeepingCallsPerDay * monthSeconds) / 86_400;
  const checked = Math.min(SCRUB_GIGABYTES, storedGigabytes) * (monthSeconds / 3600);
  const usd =
    calls(count) +
    compute(count, housekeepingWaitMs, shape.housekeeperMemoryMb) +
    compute(checked, 1e6 / scrubMbPerSecond, shape.housekeeperMemoryMb) +
    priceOf('s3Get', (checked * 1000) / scrubGetMb);
  const basis = `${shape.housekeepingCallsPerDay} calls a day, ${Math.round(checked)} GB checked for damage`;
  return { name: 'housekeeping', usd, basis, perBatch: false };
}

/** Calls by schedules. */
function calls(count: number): number {
  return priceOf('schedulerCall', count) + priceOf('lambdaRequest', count);
}
