import { limitExceeded, MalformedInputError } from '../errors.ts';
import type { StackTable } from '../profile/stack-table.ts';
import { ProtoReader } from '../wire/proto-reader.ts';
import { SampleField } from './pprof-fields.ts';
import type { PprofLimits } from './pprof-limits.ts';
import { PPROF, type PprofSections } from './pprof-sections.ts';
import type { PprofSymbols } from './pprof-symbols.ts';
import type { SampleLabels } from './sample-labels.ts';

const TWO_32 = 0x1_0000_0000;
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** All samples of one profile that have a value, in columns. */
export interface SampleColumns {
  readonly count: number;
  /** Per sample: its stack in the symbol table. */
  readonly stacks: Uint32Array;
  /** Per sample: number of its label set among those of this profile (SampleLabels.seriesIds). */
  readonly labelSets: Uint32Array;
  /** Value of sample s and sample type t at s × typeCount + t; NaN where it is in `large`. */
  readonly values: Float64Array;
  /** Values outside ±(2^53 − 1), under their position in `values`. */
  readonly large: ReadonlyMap<number, bigint>;
}

/** Second pass: reads the samples, walks each stack from its root to its leaf, and keeps stack, series and values. */
export class SampleReader {
  readonly #reader: ProtoReader;
  readonly #symbols: PprofSymbols;
  readonly #stacks: StackTable;
  readonly #labels: SampleLabels;
  readonly #limits: PprofLimits;
  readonly #typeCount: number;
  readonly #nodesBefore: number;
  readonly #large = new Map<number, bigint>();
  readonly #values: Float64Array;
  /** Locations of the sample being read, leaf first. */
  #path = new Uint32Array(256);
  #pathLength = 0;
  /** Where the values of the sample being read start, and how many were read. */
  #valuesAt = 0;
  #valueCount = 0;
  #anyValue = false;
  #truncatedFrame = -1;
  #frames = 0;

  constructor(
    raw: Uint8Array,
    sections: PprofSections,
    symbols: PprofSymbols,
    stacks: StackTable,
    labels: SampleLabels,
    limits: PprofLimits,
  ) {
    this.#reader = new ProtoReader(raw, PPROF);
    this.#symbols = symbols;
    this.#stacks = stacks;
    this.#labels = labels;
    this.#limits = limits;
    this.#typeCount = sections.sampleTypes.length;
    this.#nodesBefore = stacks.count;
    // A value takes at least one byte, so this is never more than what was sent.
    this.#values = new Float64Array(Math.min(sections.samples.count * this.#typeCount, raw.length));
  }

  read(sections: PprofSections): SampleColumns {
    const { starts, ends, count } = sections.samples;
    const stacks = new Uint32Array(count);
    const labelSets = new Uint32Array(count);
    let kept = 0;
    for (let s = 0; s < count; s++) {
      this.#valuesAt = kept * this.#typeCount;
      this.#readSample(starts[s]!, ends[s]!);
      // A sample without any value adds nothing: neither a stack nor a series.
      if (!this.#anyValue) continue;
      stacks[kept] = this.#walk();
      labelSets[kept++] = this.#labels.labelSet();
    }
    return { count: kept, stacks, labelSets, values: this.#values, large: this.#large };
  }

  #readSample(start: number, end: number): void {
    const reader = this.#reader;
    reader.at = start;
    this.#pathLength = 0;
    this.#valueCount = 0;
    this.#anyValue = false;
    this.#labels.begin();
    while (reader.at < end) {
      const tag = reader.tag();
      switch (tag) {
        case SampleField.locationPacked:
          this.#readPath(reader.enter());
          break;
        case SampleField.valuePacked: {
          const last = reader.enter();
          while (reader.at < last) this.#readValue();
          reader.leave(last);
          break;
        }
        case SampleField.label:
          this.#labels.read(reader);
          break;
        case SampleField.location:
          this.#readLocationId();
          break;
        case SampleField.value:
          this.#readValue();
          break;
        default:
          reader.skip(tag);
      }
    }
    reader.leave(end);
    if (this.#valueCount !== this.#typeCount) {
      throw new MalformedInputError(
        PPROF,
        `a sample has ${this.#valueCount} values, the profile has ${this.#typeCount} sample types`,
        start,
      );
    }
  }

  /** Packed location ids, mostly of one or two bytes: written out by hand, as most of a profile's bytes are these. */
  #readPath(end: number): void {
    const reader = this.#reader;
    const { bytes } = reader;
    const { dense } = this.#symbols.locations;
    const known = dense.length;
    let at = reader.at;
    let length = this.#pathLength;
    this.#reservePath(length + end - at);
    const path = this.#path;
    while (at < end) {
      let id = bytes[at]!;
      let next = at + 1;
      if (id > 127 && next < end) {
        id = (id & 127) | (bytes[next++]! << 7);
        if (id > 0x3fff && next < end) id = (id & 0x3fff) | (bytes[next++]! << 14);
      }
      const position = id < 0x200000 && id < known ? dense[id]! : 0;
      // The last byte read ended the number unless its high bit was set, which makes id too large for its length.
      if (position !== 0 && bytes[next - 1]! < 128) {
        path[length++] = position - 1;
        at = next;
      } else {
        reader.at = at;
        path[length++] = this.#findLocation();
        at = reader.at;
      }
    }
    this.#pathLength = length;
    reader.at = at;
    reader.leave(end);
  }

  #readLocationId(): void {
    this.#reservePath(this.#pathLength + 1);
    this.#path[this.#pathLength++] = this.#findLocation();
  }

  #findLocation(): number {
    const reader = this.#reader;
    const start = reader.at;
    reader.varint();
    const position = this.#symbols.locations.find(reader.low, reader.high);
    if (position < 0) reader.fail(`location id ${BigInt.asUintN(64, reader.signed())} is not there`, start);
    return position;
  }

  #reservePath(length: number): void {
    if (length <= this.#path.length) return;
    const next = new Uint32Array(Math.max(length, this.#path.length * 2));
    next.set(this.#path);
    this.#path = next;
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
    const value = reader.signed();
    this.#anyValue = true;
    if (value >= -MAX_SAFE && value <= MAX_SAFE) this.#values[at] = Number(value);
    else {
      this.#values[at] = Number.NaN;
      this.#large.set(at, value);
    }
  }

  /** From the root, which is the last location, to the leaf. */
  #walk(): number {
    const stacks = this.#stacks;
    const path = this.#path;
    const symbols = this.#symbols;
    const { frameOf } = symbols;
    const depthMax = this.#limits.stackDepthMax;
    let node = 0;
    let depth = 0;
    for (let i = this.#pathLength - 1; i >= 0; i--) {
      const location = path[i]!;
      if (frameOf[location] === 0) symbols.readLocation(location);
      const frame = frameOf[location]!;
      if (frame > 0) {
        if (depth++ === depthMax) return this.#truncate(node);
        node = stacks.child(node, frame - 1);
        continue;
      }
      const end = symbols.runStarts[-frame]!;
      for (let k = symbols.runStarts[-1 - frame]!; k < end; k++) {
        if (depth++ === depthMax) return this.#truncate(node);
        node = stacks.child(node, symbols.runFrames[k]!);
      }
    }
    return this.#checked(node, depth);
  }

  #checked(node: number, depth: number): number {
    const { framesMax, stackNodesMax } = this.#limits;
    this.#frames += depth;
    if (this.#frames > framesMax) {
      throw limitExceeded(
        { name: 'pprof_frames_max', value: framesMax, unit: 'frames in all samples' },
        this.#frames,
      );
    }
    const added = this.#stacks.count - this.#nodesBefore;
    if (added > stackNodesMax) {
      const unit = 'new stack prefixes in one profile';
      throw limitExceeded({ name: 'pprof_stack_nodes_max', value: stackNodesMax, unit }, added);
    }
    return node;
  }

  /** `node` has as many frames as allowed and more were to come: its leaf gives way to the mark of the cut. */
  #truncate(node: number): number {
    if (this.#truncatedFrame < 0) this.#truncatedFrame = this.#symbols.truncatedFrame();
    const parent = this.#stacks.parents[node]!;
    return this.#checked(this.#stacks.child(parent, this.#truncatedFrame), this.#limits.stackDepthMax);
  }
}
