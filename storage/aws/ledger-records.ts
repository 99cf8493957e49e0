import type { BatchRecord, BootSequences, HourCounts } from '../registry.ts';
import { type Item, number, text } from './attribute-values.ts';

export const HOUR_MS = 3_600_000;

/**
 * Records of one boot whose first window starts within the same quarter of an hour share an item. A record takes about 40
 * bytes: so at a flush every 15 s (60 records) an item is 2.6 KB, at one every 60 s it stays under 1 KB, the unit of
 * writing that is billed; and an audit of an hour reads four items per node, not sixty.
 */
export const SLICE_MS = HOUR_MS / 4;

/** Attributes that hold a record begin so; the sequence follows, in base 36. */
const RECORD = 'r_';

/** And those that count how often that record came again, if it did, begin so. */
const DUPLICATES = 'd_';

/** What one item holds in common. The names are of any characters, so they are fields and not parts of a key to split. */
export interface Slice {
  cluster: string;
  node: string;
  bootId: string;
  /** When it begins, in ms since epoch, a multiple of SLICE_MS. */
  start: number;
}

export function sliceStart(firstWindow: number): number {
  return firstWindow - (firstWindow % SLICE_MS);
}

export function recordAttribute(sequence: number): string {
  return RECORD + sequence.toString(36);
}

export function duplicatesAttribute(sequence: number): string {
  return DUPLICATES + sequence.toString(36);
}

/** A record, and how often it came again. */
export interface KeptRecord extends BatchRecord {
  duplicates: number;
}

/** The fields of a record in base 36, joined by dots: what an agent declares, and at last when the record arrived. */
export function packRecord(record: BatchRecord, start: number): string {
  const { samplesTaken, samplesLost, samplesDropped, samplesKept, firstWindow, lastWindow, receivedAt } =
    record;
  const numbers = [
    samplesTaken,
    samplesLost,
    samplesDropped,
    samplesKept,
    firstWindow - start,
    lastWindow,
    receivedAt,
  ];
  return numbers.map((value) => value.toString(36)).join('.');
}

/** Whether two packed records declare the same: all but when they arrived. */
export function declareSame(a: string, b: string): boolean {
  return a.slice(0, a.lastIndexOf('.')) === b.slice(0, b.lastIndexOf('.'));
}

/** The records of an item, in no order. */
export function recordsOf(item: Item): KeptRecord[] {
  const cluster = text(item, 'cluster');
  const node = text(item, 'node');
  const bootId = text(item, 'bootId');
  const start = Number(item.start?.N ?? 0);
  return Object.keys(item)
    .filter((name) => name.startsWith(RECORD))
    .map((name) => {
      const packed = text(item, name).split('.');
      const [samplesTaken, samplesLost, samplesDropped, samplesKept, offset, lastWindow, receivedAt] =
        packed.map((digits) => Number.parseInt(digits, 36));
      const sequence = Number.parseInt(name.slice(RECORD.length), 36);
      return {
        cluster,
        node,
        bootId,
        sequence,
        duplicates: number(item, duplicatesAttribute(sequence)),
        samplesTaken,
        samplesLost,
        samplesDropped,
        samplesKept,
        firstWindow: start + offset,
        lastWindow,
        receivedAt,
      };
    });
}

/** Groups records as the port says. Of two with one sequence, which only a lying agent sends, the first to arrive counts. */
export function summarize(records: KeptRecord[], stepMs: number): BootSequences[] {
  const boots: BootSequences[] = [];
  let last: BatchRecord | undefined;
  for (const record of records.sort(byBootAndSequence)) {
    const sameBoot = last !== undefined && compareBoots(last, record) === 0;
    if (sameBoot && last?.sequence === record.sequence) continue;
    if (!sameBoot) boots.push(emptyBoot(record));
    addTo(boots.at(-1) as BootSequences, record, stepMs);
    last = record;
  }
  for (const { hours } of boots) hours.sort((a, b) => a.hour - b.hour);
  return boots;
}

function byBootAndSequence(a: BatchRecord, b: BatchRecord): number {
  return compareBoots(a, b) || a.sequence - b.sequence || a.receivedAt - b.receivedAt;
}

function compareBoots(a: BatchRecord, b: BatchRecord): number {
  return compare(a.cluster, b.cluster) || compare(a.node, b.node) || compare(a.bootId, b.bootId);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function emptyBoot({ cluster, node, bootId }: BatchRecord): BootSequences {
  return { cluster, node, bootId, sequences: [], hours: [], lastReceivedAt: 0 };
}

function addTo(boot: BootSequences, record: KeptRecord, stepMs: number): void {
  const last = boot.sequences.at(-1);
  if (last?.end === record.sequence) last.end++;
  else {
    const { sequence, firstWindow } = record;
    boot.sequences.push({ first: sequence, end: sequence + 1, since: firstWindow });
  }
  const counts = hourOf(boot, record.firstWindow, stepMs);
  counts.batches++;
  counts.duplicates += record.duplicates;
  counts.samplesTaken += record.samplesTaken;
  counts.samplesLost += record.samplesLost;
  counts.samplesDropped += record.samplesDropped;
  counts.samplesKept += record.samplesKept;
  boot.lastReceivedAt = Math.max(boot.lastReceivedAt, record.receivedAt);
}

function hourOf(boot: BootSequences, time: number, stepMs: number): HourCounts {
  const hour = time - (time % stepMs);
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
