import { type Label, type Labels, labelsKey, labelsOf } from '../labels/labels.ts';
import type { SeriesTable } from '../profile/series-table.ts';
import { StringTable } from '../profile/string-table.ts';
import type { ProtoReader } from '../wire/proto-reader.ts';
import { shortVarint } from '../wire/short-varint.ts';
import { LabelField } from './pprof-fields.ts';
import type { PprofLimits } from './pprof-limits.ts';
import type { StringSection } from './string-section.ts';

/** Label that the samples get whose own labels would pass seriesMax. */
export const OVERFLOW_LABEL: Label = ['overflow', 'true'];

/** Sample labels that would make a series of nearly every sample: ids of spans, and the allocation size of Go heaps. */
const PER_SAMPLE_LABELS = new Set(['trace_id', 'span_id', 'profile_id', 'bytes']);

const NOTHING = new Uint8Array(0);
const KeyUse = { unknown: 0, kept: 1, dropped: 2 } as const;
/** Columns of a kept label: key, string value, and the two halves of the number. */
const WIDTH = 4;

/**
 * Turns sample labels into series. Of what a sample says, base labels win (a payload must not choose its service or
 * cluster), names that start with "__" are reserved, and the labels above are dropped; the rest becomes part of the
 * series, numbers as decimal text. The label sets of one profile are numbered from 0, which is the base labels alone.
 */
export class SampleLabels {
  /** Per label set of this profile: its series in the dataset. */
  readonly seriesIds: number[] = [];
  readonly #base: Labels;
  readonly #table: SeriesTable;
  readonly #strings: StringSection;
  readonly #limits: PprofLimits;
  /** Per string: whether labels with this key are kept. */
  #keyUse: Uint8Array = NOTHING;
  /** Kept labels of the sample being read, WIDTH numbers each, sorted by key. */
  #kept = new Uint32Array(0);
  #keptBytes: Uint8Array = NOTHING;
  #keptCount = 0;
  /** The distinct contents of #kept so far; run r (from 1) is label set #setOfRun[r]. */
  #runs: StringTable | undefined;
  readonly #setOfRun: number[] = [0];
  readonly #setOfKey = new Map<string, number>();
  #overflowSet = -1;

  constructor(base: Labels, table: SeriesTable, strings: StringSection, limits: PprofLimits) {
    this.#base = base;
    this.#table = table;
    this.#strings = strings;
    this.#limits = limits;
    this.seriesIds.push(table.intern(base));
  }

  /** Starts the next sample. */
  begin(): void {
    this.#keptCount = 0;
  }

  /** Whether the label at raw[at] is known to be dropped by its key, so that the rest of it need not be looked at. */
  drops(raw: Uint8Array, at: number): boolean {
    const key = raw[at] === LabelField.key ? shortVarint(raw, at + 1) >>> 2 : 0;
    return key < this.#keyUse.length && this.#keyUse[key] === KeyUse.dropped;
  }

  /** Reads one label of the sample, which ends at `end`. */
  read(reader: ProtoReader, end: number): void {
    if (this.#keyUse.length === 0) this.#allocate();
    const { count } = this.#strings;
    let key = 0;
    let str = 0;
    let low = 0;
    let high = 0;
    while (reader.at < end) {
      const tag = reader.field();
      if (tag === LabelField.key) key = reader.below(count, 'label key');
      else if (tag === LabelField.str) str = reader.below(count, 'label value');
      else if (tag === LabelField.num) {
        low = reader.low;
        high = reader.high;
      } else reader.skipRest(tag);
    }
    reader.leave(end);
    if (
      str === 0 ? low === 0 && high === 0 : this.#strings.byteLengthOf(str) > this.#limits.labelValueBytesMax
    )
      return;
    if (!this.#keeps(key) || this.#keptCount === this.#limits.labelsPerSampleMax) return;
    this.#insert(key, str, str === 0 ? low : 0, str === 0 ? high : 0);
  }

  #keeps(key: number): boolean {
    if (this.#keyUse[key] === KeyUse.unknown) {
      this.#keyUse[key] = this.#isUsable(key) ? KeyUse.kept : KeyUse.dropped;
    }
    return this.#keyUse[key] === KeyUse.kept;
  }

  /** Most profiles have no sample labels and never get here. */
  #allocate(): void {
    this.#keyUse = new Uint8Array(this.#strings.count);
    this.#kept = new Uint32Array(this.#limits.labelsPerSampleMax * WIDTH);
    this.#keptBytes = new Uint8Array(this.#kept.buffer);
    this.#setOfKey.set(labelsKey(this.#base), 0);
  }

  #isUsable(key: number): boolean {
    const length = this.#strings.byteLengthOf(key);
    if (length === 0 || length > this.#limits.labelNameBytesMax) return false;
    const name = this.#strings.text(key);
    if (name.startsWith('__') || PER_SAMPLE_LABELS.has(name)) return false;
    return !this.#base.some(([baseName]) => baseName === name);
  }

  /** Insertion sort by key, as two orders of the same labels are one series; equal keys stay in the order they came. */
  #insert(key: number, str: number, low: number, high: number): void {
    const kept = this.#kept;
    let at = this.#keptCount++ * WIDTH;
    for (; at > 0 && kept[at - WIDTH]! > key; at -= WIDTH) kept.copyWithin(at, at - WIDTH, at);
    kept[at] = key;
    kept[at + 1] = str;
    kept[at + 2] = low;
    kept[at + 3] = high;
  }

  /** The number of the label set of the sample that was read. */
  labelSet(): number {
    if (this.#keptCount === 0) return 0;
    this.#runs ??= new StringTable();
    const run = this.#runs.intern(this.#keptBytes, 0, this.#keptCount * WIDTH * 4);
    return (this.#setOfRun[run] ??= this.#addSet());
  }

  #addSet(): number {
    if (this.seriesIds.length > this.#limits.seriesMax) return this.#overflow();
    const labels = labelsOf([...this.#base, ...this.#keptLabels()]);
    const key = labelsKey(labels);
    let set = this.#setOfKey.get(key);
    if (set === undefined) {
      set = this.seriesIds.push(this.#table.intern(labels)) - 1;
      this.#setOfKey.set(key, set);
    }
    return set;
  }

  #keptLabels(): Label[] {
    const labels: Label[] = [];
    for (let at = 0; at < this.#keptCount * WIDTH; at += WIDTH) {
      const [key, str, low, high] = this.#kept.subarray(at, at + WIDTH);
      labels.push([this.#strings.text(key!), str === 0 ? decimal(low!, high!) : this.#strings.text(str!)]);
    }
    return labels;
  }

  #overflow(): number {
    if (this.#overflowSet < 0) {
      const labels = labelsOf([...this.#base, OVERFLOW_LABEL]);
      const known = this.#setOfKey.get(labelsKey(labels));
      this.#overflowSet = known ?? this.seriesIds.push(this.#table.intern(labels)) - 1;
    }
    return this.#overflowSet;
  }
}

/** The int64 with these halves. */
function decimal(low: number, high: number): string {
  if (high === 0) return String(low);
  return String(BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)));
}
