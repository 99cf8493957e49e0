import { RejectedError } from '../../core/errors.ts';
import type { BatchLedger, BatchRecord, BootSequences, HourCounts } from '../registry.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

type Fields = Record<string, unknown>;

const HOUR_MS = 3_600_000;

const COUNTS = [
  'sequence',
  'samplesTaken',
  'samplesLost',
  'samplesDropped',
  'samplesKept',
  'firstWindow',
  'lastWindow',
  'receivedAt',
] as const;

// Rows of one group arrive in ascending sequence, so that ranges grow at their end; hours are gathered by key.
const LIST = `
  SELECT cluster, node, boot_id, sequence, samples_taken, samples_lost, samples_dropped, samples_kept,
    first_window, received_at, duplicates
  FROM batches WHERE first_window >= :from AND first_window < :until AND (:cluster IS NULL OR cluster = :cluster)
  ORDER BY cluster, node, boot_id, sequence`;

const LIST_BOOT = `
  SELECT * FROM batches WHERE cluster = :cluster AND node = :node AND boot_id = :bootId
    AND first_window >= :from AND first_window < :until
  ORDER BY sequence`;

const WHICH = 'cluster = :cluster AND node = :node AND boot_id = :bootId AND sequence = :sequence';

const SAME = `
  SELECT samples_taken = :samplesTaken AND samples_lost = :samplesLost AND samples_dropped = :samplesDropped
    AND samples_kept = :samplesKept AND first_window = :firstWindow AND last_window = :lastWindow AS same
  FROM batches WHERE ${WHICH}`;

/** One short row per batch, in SQLite, summed up when the audit asks. */
export function sqliteBatchLedger(database: SqliteDatabase): BatchLedger {
  const insert = database.prepare(`INSERT OR IGNORE INTO batches VALUES (:cluster, :node, :bootId, :sequence,
    :samplesTaken, :samplesLost, :samplesDropped, :samplesKept, :firstWindow, :lastWindow, :receivedAt, 0)`);
  const same = database.prepare(SAME);
  const countAgain = database.prepare(`UPDATE batches SET duplicates = duplicates + 1 WHERE ${WHICH}`);
  const list = database.prepare(LIST);
  const listBoot = database.prepare(LIST_BOOT);
  const forget = database.prepare('DELETE FROM batches WHERE received_at < :before');
  return {
    async recordBatch(record) {
      checkRecord(record);
      const { receivedAt, ...content } = record;
      return database.write(() => {
        if (insert.run({ ...content, receivedAt }).changes === 1) return 'recorded';
        if (same.get(content)?.same !== 1) return 'conflict';
        countAgain.run(content);
        return 'duplicate';
      });
    },
    async listBatchSequences({ cluster, from, until, stepMs = HOUR_MS }) {
      const search = { cluster: cluster ?? null, from, until };
      return database.read(() => summarize(list.iterate(search), stepMs));
    },
    async listBootBatches({ hour, ...boot }) {
      const search = { ...boot, from: hour, until: hour + HOUR_MS };
      return database.read(() => listBoot.all(search).map(toRecord));
    },
    async forgetBatches(before) {
      return database.write(() => Number(forget.run({ before }).changes));
    },
  };
}

function checkRecord(record: BatchRecord): void {
  const named = record.cluster !== '' && record.node !== '' && record.bootId !== '';
  const broken = COUNTS.find((field) => !Number.isSafeInteger(record[field]) || record[field] < 0);
  if (named && broken === undefined) return;
  const problem = broken ? `${broken} is ${record[broken]}, not a non-negative integer` : 'a name is empty';
  throw new RejectedError(
    'invalid',
    `batch ${record.sequence} of ${record.cluster}/${record.node}: ${problem}`,
  );
}

function toRecord(row: Fields): BatchRecord {
  return {
    cluster: String(row.cluster),
    node: String(row.node),
    bootId: String(row.boot_id),
    sequence: Number(row.sequence),
    samplesTaken: Number(row.samples_taken),
    samplesLost: Number(row.samples_lost),
    samplesDropped: Number(row.samples_dropped),
    samplesKept: Number(row.samples_kept),
    firstWindow: Number(row.first_window),
    lastWindow: Number(row.last_window),
    receivedAt: Number(row.received_at),
  };
}

function summarize(rows: Iterable<Fields>, stepMs: number): BootSequences[] {
  const boots: BootSequences[] = [];
  let boot: BootSequences | undefined;
  for (const row of rows) {
    if (boot?.cluster !== row.cluster || boot?.node !== row.node || boot?.bootId !== row.boot_id) {
      boot = emptyBoot(row);
      boots.push(boot);
    }
    addTo(boot as BootSequences, row, stepMs);
  }
  for (const { hours } of boots) hours.sort((a, b) => a.hour - b.hour);
  return boots;
}

function emptyBoot(row: Fields): BootSequences {
  return {
    cluster: String(row.cluster),
    node: String(row.node),
    bootId: String(row.boot_id),
    sequences: [],
    hours: [],
    lastReceivedAt: 0,
  };
}

function addTo(boot: BootSequences, row: Fields, stepMs: number): void {
  const sequence = Number(row.sequence);
  const last = boot.sequences.at(-1);
  if (last?.end === sequence) last.end++;
  else boot.sequences.push({ first: sequence, end: sequence + 1, since: Number(row.first_window) });
  const counts = hourOf(boot, Number(row.first_window), stepMs);
  counts.batches++;
  counts.duplicates += Number(row.duplicates);
  counts.samplesTaken += Number(row.samples_taken);
  counts.samplesLost += Number(row.samples_lost);
  counts.samplesDropped += Number(row.samples_dropped);
  counts.samplesKept += Number(row.samples_kept);
  boot.lastReceivedAt = Math.max(boot.lastReceivedAt, Number(row.received_at));
}

function hourOf(boot: BootSequences, time: number, stepMs: number): HourCounts {
  const hour = time - (time % stepMs);
  // Sequences follow time, so the hour is nearly always the last.
  let counts = boot.hours.findLast((seen) => seen.hour === hour);
  if (!counts) {
    counts = {
      ...{ hour, batches: 0, duplicates: 0 },
      ...{ samplesTaken: 0, samplesLost: 0, samplesDropped: 0, samplesKept: 0 },
    };
    boot.hours.push(counts);
  }
  return counts;
}
