import { limitExceeded, MalformedInputError } from '../errors.ts';
import type { StackTable } from '../profile/stack-table.ts';
import type { SymbolTable } from '../profile/symbol-table.ts';
import { truncatedFrame } from '../profile/truncated-frame.ts';
import { ProtoReader } from '../wire/proto-reader.ts';
import type { LocationSection } from './location-section.ts';
import { SampleField } from './pprof-fields.ts';
import type { PprofLimits } from './pprof-limits.ts';
import { PPROF, type PprofSections } from './pprof-sections.ts';

import type { SampleLabels } from './sample-labels.ts';

const NOTHING = new Uint8Array(0);
const TWO_32 = 0x1_0000_0000;

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
  #reader = new ProtoReader(NOTHING, PPROF);
  #locations!: LocationSection;
  #symbolTable!: SymbolTable;
  #stacks!: StackTable;
  #labels!: SampleLabels;
  #limits!: PprofLimits;
  #typeCount = 0;
  #nodesBefore = 0;
  #frames = 0;
  #truncatedFrame = -1;
  #stackOf = new Uint32Array(64);
  #labelSetOf = new Uint32Array(64);
  #values = new Float64Array(64);
  #large = new Map<number, bigint>();
  /** Packed location ids of the sample being read, leaf first: pathBytes[pathStart..pathEnd). */
  #pathBytes: Uint8Array = NOTHING;
  #pathStart = 0;
  #pathEnd = 0;
  /** For location ids that did not come in one piece. */
  #gathered = new Uint8Array(256);
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
    this.#locations = locations;
    this.#symbolTable = into;
    this.#stacks = into.stacks;
    this.#labels = labels;
    this.#limits = limits;
    this.#typeCount = sections.sampleTypes.length;
    this.#nodesBefore = into.stacks.count;
    this.#frames = 0;
    this.#truncatedFrame = -1;
    this.#large.clear();
    return this.#readAll(sections, raw.length);
  }

  #readAll({ samples: { starts, ends, count } }: PprofSections, rawLength: number): SampleColumns {
    // A value takes at least one byte, so this is never more than what was sent.
    const valueCount = Math.min(count * this.#typeCount, rawLength);
    if (this.#values.length < valueCount) this.#values = new Float64Array(valueCount);
    if (this.#stackOf.length < count) {
      this.#stackOf = new Uint32Array(count);
      this.#labelSetOf = new Uint32Array(count);
    }
    let kept = 0;
    for (let s = 0; s < count; s++) {
      this.#valuesAt = kept * this.#typeCount;
      this.#readSample(starts[s]!, ends[s]!);
      // A sample without any value adds nothing: neither a stack nor a series.
      if (!this.#anyValue) continue;
      this.#stackOf[kept] = this.#walk();
      this.#labelSetOf[kept++] = this.#labels.labelSet();
    }
    return {
      count: kept,
      stacks: this.#stackOf,
      labelSets: this.#labelSetOf,
      values: this.#values,
      large: this.#large,
    };
  }

  /** Forgets the profile, but keeps the columns for the next. */
  release(): void {
    this.#reader = new ProtoReader(NOTHING, PPROF);
    this.#pathBytes = NOTHING;
    this.#locations = this.#labels = this.#symbolTable = this.#stacks = undefined!;
    this.#large.clear();
  }

  get byteLength(): number {
    return this.#stackOf.byteLength * 2 + this.#values.byteLength + this.#gathered.byteLength;
  }

  #readSample(start: number, end: number): void {
    const reader = this.#reader;
    reader.at = start;
    this.#pathStart = this.#pathEnd = 0;
    this.#valueCount = 0;
    this.#anyValue = false;
    this.#labels.begin();
    while (reader.at < end) {
      const tag = reader.tag();
      switch (tag) {
        case SampleField.locationPacked: {
          const last = reader.enter();
          this.#addPath(reader.bytes, reader.at, last);
          reader.at = last;
          break;
        }
        case SampleField.valuePacked:
          this.#readValues(reader.enter());
          break;
        case SampleField.label:
          this.#labels.read(reader);
          break;
        case SampleField.location: {
          const { at } = reader;
          reader.varint();
          this.#addPath(reader.bytes, at, reader.at);
          break;
        }
        case SampleField.value:
          this.#readValue();
          break;
        default:
          reader.skip(tag);
      }
    }
    reader.leave(end);
    if (this.#valueCount !== this.#typeCount) {
      const message = `a sample has ${this.#valueCount} values, the profile has ${this.#typeCount} sample types`;
      throw new MalformedInputError(PPROF, message, start);
    }
  }

  /** Location ids are looked at when the sample is known to have a value. Mostly they come packed and in one piece. */
  #addPath(bytes: Uint8Array, start: number, end: number): void {
    if (this.#pathEnd === 0) {
      this.#pathBytes = bytes;
      this.#pathStart = start;
      this.#pathEnd = end;
      return;
    }
    const before = this.#pathEnd - this.#pathStart;
    const length = before + end - start;
    if (this.#gathered.length < length) {
      const next = new Uint8Array(length * 2);
      next.set(this.#gathered);
      this.#gathered = next;
    }
    if (this.#pathBytes !== this.#gathered) {
      // Also when the gathered bytes have just moved to a longer array: then this copies them onto themselves.
      this.#gathered.set(this.#pathBytes.subarray(this.#pathStart, this.#pathEnd));
    }
    this.#gathered.set(bytes.subarray(start, end), before);
    this.#pathBytes = this.#gathered;
    this.#pathStart = 0;
    this.#pathEnd = length;
  }

  #readValues(end: number): void {
    const reader = this.#reader;
    const { bytes } = reader;
    const values = this.#values;
    while (reader.at < end) {
      const { at } = reader;
      const byte = bytes[at]!;
      if (byte < 128 && this.#valueCount < this.#typeCount) {
        reader.at = at + 1;
        values[this.#valuesAt + this.#valueCount++] = byte;
        if (byte !== 0) this.#anyValue = true;
      } else this.#readValue();
    }
    reader.leave(end);
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

  /**
   * From the root to the leaf. The root is the last location, so the packed ids are read from their end: a byte below
   * 128 ends a varint, and is its most significant part. Written out by hand, as most bytes of profiles pass here.
   */
  #walk(): number {
    const bytes = this.#pathBytes;
    const start = this.#pathStart;
    const stacks = this.#stacks;
    const { frameById } = this.#locations;
    const depthMax = this.#limits.stackDepthMax;
    const known = this.#locations.ids.denseCount;
    let node = 0;
    let depth = 0;
    for (let at = this.#pathEnd - 1; at >= start; at--) {
      // Without branches for one to three bytes: which it is cannot be predicted. The byte before the first id is a
      // length or tag below 128, so looking one too far back is harmless.
      const idEnd = at;
      const before = bytes[at - 1]!;
      const two = before >>> 7;
      const three = two & (bytes[at - 2]! >>> 7);
      let id = (bytes[at]! << (two * 7)) | (before & 127 & -two);
      id = (id << (three * 7)) | (bytes[at - 2]! & 127 & -three);
      at -= two + three;
      let frame = id < known ? frameById[id]! : 0;
      if (frame === 0 || bytes[idEnd]! > 127 || (three === 1 && bytes[at - 1]! > 127)) {
        while (at > start && bytes[at - 1]! > 127) at--;
        frame = this.#findFrame(at, idEnd + 1);
      }
      if (frame > 0) {
        if (depth++ === depthMax) return this.#truncate(node);
        node = stacks.child(node, frame - 1);
      } else {
        const { runStarts, runFrames } = this.#locations;
        for (let k = runStarts[-1 - frame]!, end = runStarts[-frame]!; k < end; k++) {
          if (depth++ === depthMax) return this.#truncate(node);
          node = stacks.child(node, runFrames[k]!);
        }
      }
    }
    return this.#checked(node, depth);
  }

  /** The frame of the location whose id is at pathBytes[start..end), which is new, sparse or wrong. */
  #findFrame(start: number, end: number): number {
    const reader =
      this.#pathBytes === this.#reader.bytes ? this.#reader : new ProtoReader(this.#pathBytes, PPROF);
    const { at } = reader;
    reader.at = start;
    reader.varint();
    reader.leave(end);
    const frame = this.#locations.frameOfId(reader);
    reader.at = at;
    return frame;
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
    if (this.#truncatedFrame < 0) this.#truncatedFrame = truncatedFrame(this.#symbolTable);
    const parent = this.#stacks.parents[node]!;
    return this.#checked(this.#stacks.child(parent, this.#truncatedFrame), this.#limits.stackDepthMax);
  }
}
