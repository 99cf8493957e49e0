import { MalformedInputError } from '../errors.ts';
import type { SymbolTable } from '../profile/symbol-table.ts';
import { ProtoReader } from '../wire/proto-reader.ts';
import type { LocationSection } from './location-section.ts';
import { SampleField } from './pprof-fields.ts';
import type { PprofLimits } from './pprof-limits.ts';
import { PPROF, type PprofSections, type Ranges } from './pprof-sections.ts';
import type { SampleLabels } from './sample-labels.ts';
import { SamplePath } from './sample-path.ts';

const NOTHING = new Uint8Array(0);
const TWO_32 = 0x1_0000_0000;
const TWO_28 = 0x1000_0000;

/** All samples of one profile that have a value, in columns. */
export interface SampleColumns {
  readonly count: number;
  /** Per sample: its stack in the symbol table. */
  readonly stacks: Int32Array;
  /** Per sample: number of its label set among those of this profile (SampleLabels.seriesIds). */
  readonly labelSets: Int32Array;
  /** Value of sample s and sample type t at s × typeCount + t; NaN where it is in `large`. */
  readonly values: Float64Array;
  /** Values outside ±(2^53 − 1), under their position in `values`. */
  readonly large: ReadonlyMap<number, bigint>;
}

/** Second pass: reads the samples, walks each stack from its root to its leaf, and keeps stack, series and values. */
export class SampleReader {
  #reader = new ProtoReader(NOTHING, PPROF);
  readonly #path = new SamplePath();
  #labels!: SampleLabels;
  #typeCount = 0;
  #stackOf = new Int32Array(64);
  #labelSetOf = new Int32Array(64);
  #values = new Float64Array(64);
  #large = new Map<number, bigint>();
  /** Where the values of the sample being read start, and how many were read. */
  #valuesAt = 0;
  #valueCount = 0;
  #anyValue = false;

  /** The columns are valid until the next call. */
  read(
    raw: Uint8Array,
    sections: PprofSections,
    locations: LocationSection,
    into: SymbolTable,
    labels: SampleLabels,
    limits: PprofLimits,
  ): SampleColumns {
    this.#reader = new ProtoReader(raw, PPROF);
    this.#path.reset(raw, locations, into, limits);
    this.#labels = labels;
    this.#typeCount = sections.sampleTypes.length;
    this.#large.clear();
    this.#reserve(sections.samples.count, raw.length);
    return {
      count: this.#readAll(sections.samples),
      stacks: this.#stackOf,
      labelSets: this.#labelSetOf,
      values: this.#values,
      large: this.#large,
    };
  }

  /** Makes room for all samples. */
  #reserve(count: number, rawLength: number): void {
    // A value takes at least one byte, so this is never more than what was sent.
    const valueCount = Math.min(count * this.#typeCount, rawLength);
    if (this.#values.length < valueCount) this.#values = new Float64Array(valueCount);
    if (this.#stackOf.length < count) {
      this.#stackOf = new Int32Array(count);
      this.#labelSetOf = new Int32Array(count);
    }
  }

  /** Answers how many samples have a value. */
  #readAll({ starts, ends, count }: Ranges): number {
    let kept = 0;
    for (let s = 0; s < count; s++) {
      this.#valuesAt = kept * this.#typeCount;
      this.#readSample(starts[s]!, ends[s]!);
      // A sample without any value adds nothing: neither a stack nor a series.
      if (!this.#anyValue) continue;
      this.#stackOf[kept] = this.#path.stack();
      this.#labelSetOf[kept++] = this.#labels.labelSet();
    }
    return kept;
  }

  /** Forgets the profile, but keeps the columns for the next. */
  release(): void {
    this.#reader = new ProtoReader(NOTHING, PPROF);
    this.#path.release();
    this.#labels = undefined!;
    this.#large.clear();
  }

  get byteLength(): number {
    return this.#stackOf.byteLength * 2 + this.#values.byteLength + this.#path.byteLength;
  }

  /** Reads what a sample is written with by nearly everyone here, and the rest through #readField. */
  #readSample(start: number, end: number): void {
    const raw = this.#reader.bytes;
    this.#path.begin();
    this.#valueCount = 0;
    this.#anyValue = false;
    this.#labels.begin();
    let at = start;
    while (at < end) {
      const tag = raw[at]!;
      const from = at + 2;
      const to = from + raw[at + 1]!;
      const isShort = to <= end && to - from < 128;
      if (isShort && tag === SampleField.locationPacked) {
        this.#path.add(from, to);
        at = to;
      } else if (isShort && tag === SampleField.valuePacked && this.#readUsualValues(raw, from, to)) at = to;
      else if (isShort && tag === SampleField.label && this.#labels.drops(raw, from)) at = to;
      else at = this.#readField(at);
    }
    this.#reader.at = at;
    this.#reader.leave(end);
    if (this.#valueCount !== this.#typeCount) {
      const message = `a sample has ${this.#valueCount} values, the profile has ${this.#typeCount} sample types`;
      throw new MalformedInputError(PPROF, message, start);
    }
  }

  /** Reads any field of a sample, answers where it ends, and says what is wrong with one that is broken. */
  #readField(at: number): number {
    const reader = this.#reader;
    reader.at = at;
    const tag = reader.tag();
    const start = reader.at;
    switch (tag) {
      case SampleField.locationPacked: {
        const last = reader.enter();
        this.#path.add(reader.at, last);
        return last;
      }
      case SampleField.valuePacked: {
        const last = reader.enter();
        while (reader.at < last) this.#readValue();
        reader.leave(last);
        return last;
      }
      case SampleField.label:
        this.#labels.read(reader, reader.enter());
        return reader.at;
      case SampleField.location:
        reader.varint();
        this.#path.add(start, reader.at);
        return reader.at;
      case SampleField.value:
        this.#readValue();
        return reader.at;
      default:
        reader.skip(tag);
        return reader.at;
    }
  }

  /** Reads all values of a sample when each has at most 49 bits; answers false, having read none, when not. */
  #readUsualValues(raw: Uint8Array, from: number, to: number): boolean {
    if (this.#valueCount !== 0) return false;
    const values = this.#values;
    const first = this.#valuesAt;
    const typeCount = this.#typeCount;
    let at = from;
    let count = 0;
    let any = 0;
    while (at < to) {
      let byte = raw[at++]!;
      let low = byte & 127;
      for (let shift = 7; byte > 127 && shift < 28; shift += 7) {
        byte = raw[at++]!;
        low |= (byte & 127) << shift;
      }
      let high = 0;
      for (let shift = 0; byte > 127; shift += 7) {
        if (shift > 14) return false;
        byte = raw[at++]!;
        high |= (byte & 127) << shift;
      }
      if (count === typeCount) return false;
      values[first + count++] = high === 0 ? low : high * TWO_28 + low;
      any |= low | high;
    }
    if (at !== to) return false;
    this.#valueCount = count;
    this.#anyValue = any !== 0;
    return true;
  }

  #readValue(): void {
    const reader = this.#reader;
    if (this.#valueCount === this.#typeCount)
      reader.fail('a sample has more values than the profile has sample types');
    reader.varint();
    const { low, high } = reader;
    const at = this.#valuesAt + this.#valueCount++;
    if (high < 0x20_0000) {
      this.#values[at] = high * TWO_32 + low;
      if (low !== 0 || high !== 0) this.#anyValue = true;
      return;
    }
    this.#anyValue = true;
    // Small negative numbers without BigInt: the two's complement is taken by halves.
    if (high >= 0xffe0_0000 && (high !== 0xffe0_0000 || low !== 0)) {
      this.#values[at] = -((high ^ 0xffff_ffff) >>> 0) * TWO_32 - ((low ^ 0xffff_ffff) >>> 0) - 1;
      return;
    }
    this.#values[at] = Number.NaN;
    this.#large.set(at, reader.signed());
  }
}
