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
/**
 * Gathered ids start here, as #readPath looks three bytes before the first. In a profile there are the tags and lengths
 * of sample and ids, and the last of these bytes is below 128.
 */
const GATHERED_START = 4;

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
  #locations!: LocationSection;
  #symbolTable!: SymbolTable;
  #stacks!: StackTable;
  #labels!: SampleLabels;
  #limits!: PprofLimits;
  #typeCount = 0;
  #nodesBefore = 0;
  #frames = 0;
  #truncatedFrame = -1;
  #stackOf = new Int32Array(64);
  #labelSetOf = new Int32Array(64);
  #values = new Float64Array(64);
  #large = new Map<number, bigint>();
  /** Packed location ids of the sample being read, leaf first: pathBytes[pathStart..pathEnd). */
  #pathBytes: Uint8Array = NOTHING;
  #pathView: DataView = new DataView(NOTHING.buffer);
  #rawView: DataView = this.#pathView;
  #pathStart = 0;
  #pathEnd = 0;
  /** Frames of the sample being read, root first; as long as a stack may be deep. */
  #path = new Int32Array(1);
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
    this.#rawView = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
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
    if (this.#path.length !== limits.stackDepthMax) this.#path = new Int32Array(limits.stackDepthMax);
    return this.#readAll(sections, raw.length);
  }

  #readAll({ samples: { starts, ends, count } }: PprofSections, rawLength: number): SampleColumns {
    // A value takes at least one byte, so this is never more than what was sent.
    const valueCount = Math.min(count * this.#typeCount, rawLength);
    if (this.#values.length < valueCount) this.#values = new Float64Array(valueCount);
    if (this.#stackOf.length < count) {
      this.#stackOf = new Int32Array(count);
      this.#labelSetOf = new Int32Array(count);
    }
    let kept = 0;
    for (let s = 0; s < count; s++) {
      this.#valuesAt = kept * this.#typeCount;
      this.#readSample(starts[s]!, ends[s]!);
      // A sample without any value adds nothing: neither a stack nor a series.
      if (!this.#anyValue) continue;
      this.#stackOf[kept] = this.#stack();
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
    this.#pathView = this.#rawView = new DataView(NOTHING.buffer);
    this.#locations = this.#labels = this.#symbolTable = this.#stacks = undefined!;
    this.#large.clear();
  }

  get byteLength(): number {
    return this.#stackOf.byteLength * 2 + this.#values.byteLength + this.#gathered.byteLength;
  }

  /** Reads what a sample is written with by nearly everyone here, and the rest through #readField. */
  #readSample(start: number, end: number): void {
    const raw = this.#reader.bytes;
    this.#pathStart = this.#pathEnd = 0;
    this.#valueCount = 0;
    this.#anyValue = false;
    this.#labels.begin();
    let at = start;
    while (at < end) {
      const tag = raw[at]!;
      const from = at + 2;
      const to = from + raw[at + 1]!;
      const isShort = to <= end && to - from < 128;
      if (isShort && tag === SampleField.locationPacked && this.#pathEnd === 0) {
        this.#pathBytes = raw;
        this.#pathView = this.#rawView;
        this.#pathStart = from;
        this.#pathEnd = to;
        at = to;
      } else if (isShort && tag === SampleField.valuePacked && this.#readShortValues(raw, from, to)) at = to;
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
        this.#addPath(reader.bytes, reader.at, last);
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
        this.#addPath(reader.bytes, start, reader.at);
        return reader.at;
      case SampleField.value:
        this.#readValue();
        return reader.at;
      default:
        reader.skip(tag);
        return reader.at;
    }
  }

  /** Location ids are looked at when the sample is known to have a value. Mostly they come packed and in one piece. */
  #addPath(bytes: Uint8Array, start: number, end: number): void {
    if (this.#pathEnd === 0) {
      this.#pathBytes = bytes;
      this.#pathView = this.#rawView;
      this.#pathStart = start;
      this.#pathEnd = end;
      return;
    }
    const before = this.#pathEnd - this.#pathStart;
    const length = GATHERED_START + before + end - start;
    if (this.#gathered.length < length) {
      const next = new Uint8Array(length * 2);
      next.set(this.#gathered);
      this.#gathered = next;
    }
    // The first piece is copied now; when these are the gathered bytes themselves, they are where they belong.
    const first = this.#pathBytes.subarray(this.#pathStart, this.#pathEnd);
    if (this.#pathStart !== GATHERED_START) this.#gathered.set(first, GATHERED_START);
    this.#gathered.set(bytes.subarray(start, end), GATHERED_START + before);
    this.#pathBytes = this.#gathered;
    this.#pathView = new DataView(this.#gathered.buffer);
    this.#pathStart = GATHERED_START;
    this.#pathEnd = length;
  }

  /** Reads all values of a sample when each has at most 28 bits; answers false, having read none, when not. */
  #readShortValues(raw: Uint8Array, from: number, to: number): boolean {
    if (this.#valueCount !== 0) return false;
    const values = this.#values;
    const first = this.#valuesAt;
    const typeCount = this.#typeCount;
    let at = from;
    let count = 0;
    let any = 0;
    while (at < to) {
      let byte = raw[at++]!;
      let value = byte & 127;
      for (let shift = 7; byte > 127; shift += 7) {
        if (shift > 21) return false;
        byte = raw[at++]!;
        value |= (byte & 127) << shift;
      }
      if (count === typeCount) return false;
      values[first + count++] = value;
      any |= value;
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

  /** The stack of the sample that was read. */
  #stack(): number {
    const frames = this.#readPath();
    const stack = this.#stacks.addPath(this.#path, frames);
    this.#frames += frames;
    const { framesMax, stackNodesMax } = this.#limits;
    if (this.#frames > framesMax) {
      const limit = { name: 'pprof_frames_max', value: framesMax, unit: 'frames in all samples' };
      throw limitExceeded(limit, this.#frames);
    }
    const added = this.#stacks.count - this.#nodesBefore;
    if (added > stackNodesMax) {
      const unit = 'new stack prefixes in one profile';
      throw limitExceeded({ name: 'pprof_stack_nodes_max', value: stackNodesMax, unit }, added);
    }
    return stack;
  }

  /**
   * Turns location ids into frames, root first, and answers how many. The root is the last location, so the packed ids
   * are read from their end: a byte below 128 ends a varint, and is its most significant part. Which of one, two or
   * three bytes an id has cannot be predicted, so that is worked out without branches. Written out by hand, as most
   * bytes of a profile pass here.
   */
  #readPath(): number {
    const view = this.#pathView;
    const start = this.#pathStart;
    const path = this.#path;
    const { frameById } = this.#locations;
    const known = this.#locations.ids.denseCount;
    const depthMax = path.length;
    let depth = 0;
    for (let at = this.#pathEnd - 1; at >= start; at--) {
      const idEnd = at;
      // The last byte of the id on top, the ones before it below.
      const word = view.getInt32(at - 3, true);
      // Masks: all bits set when the id has two bytes, and three. Not written as negation, whose -0 is no integer and
      // would make doubles of all that follows.
      const two = 0 - ((word >> 23) & 1);
      const three = two & (0 - ((word >> 15) & 1));
      const upper = ((word >>> 24) << (two & 7)) | ((word >> 16) & 127 & two);
      const id = (upper << (three & 7)) | ((word >> 8) & 127 & three);
      at += two + three;
      let frame = id < known ? frameById[id]! : 0;
      if (frame === 0 || word < 0 || (three & word & 128) !== 0) {
        at = this.#idStart(at);
        frame = this.#findFrame(at, idEnd + 1);
      }
      if (frame > 0) {
        if (depth === depthMax) return this.#cut();
        path[depth++] = frame - 1;
      } else {
        const { runStarts, runFrames } = this.#locations;
        for (let k = runStarts[-1 - frame]!, end = runStarts[-frame]!; k < end; k++) {
          if (depth === depthMax) return this.#cut();
          path[depth++] = runFrames[k]!;
        }
      }
    }
    return depth;
  }

  /** Where the id starts that has a byte at `at`: behind the nearest byte before it that ends another. */
  #idStart(at: number): number {
    let first = at;
    while (first > this.#pathStart && this.#pathBytes[first - 1]! > 127) first--;
    return first;
  }

  /** The path is full and more was to come: its leaf gives way to the mark of the cut. */
  #cut(): number {
    if (this.#truncatedFrame < 0) this.#truncatedFrame = truncatedFrame(this.#symbolTable);
    this.#path[this.#path.length - 1] = this.#truncatedFrame;
    return this.#path.length;
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
}
