import { limitExceeded, MalformedInputError } from '../errors.ts';
import { ProtoReader } from '../wire/proto-reader.ts';
import { ProfileField, ValueTypeField } from './pprof-fields.ts';
import type { PprofLimits } from './pprof-limits.ts';

/** Names this format in errors. */
export const PPROF = 'pprof';

/** Byte ranges [starts[i], ends[i]) of the messages of one repeated field. */
export class Ranges {
  starts = new Int32Array(64);
  ends = new Int32Array(64);
  count = 0;
  /** Tag of the field. */
  readonly tag: number;
  #max = 0;
  readonly #name: string;
  readonly #unit: string;

  constructor(tag: number, name: string, unit: string) {
    this.tag = tag;
    this.#name = name;
    this.#unit = unit;
  }

  reset(max: number): void {
    this.count = 0;
    this.#max = max;
  }

  add(start: number, end: number): void {
    if (this.count === this.starts.length) this.grow();
    this.starts[this.count] = start;
    this.ends[this.count++] = end;
  }

  /** Makes room for one more. @throws RejectedError when there are more than allowed */
  grow(): void {
    this.check();
    const size = this.count * 2;
    const starts = new Int32Array(size);
    const ends = new Int32Array(size);
    starts.set(this.starts);
    ends.set(this.ends);
    this.starts = starts;
    this.ends = ends;
  }

  /** @throws RejectedError when there are more than allowed */
  check(): void {
    if (this.count > this.#max)
      throw limitExceeded({ name: this.#name, value: this.#max, unit: this.#unit }, this.count);
  }
}

/** A ValueType whose strings are still indexes into the string table. */
export interface RawValueType {
  readonly type: number;
  readonly unit: number;
}

/** Where everything is in a profile: the result of one pass over its top-level fields, which may come in any order. */
export class PprofSections {
  sampleTypes: RawValueType[] = [];
  periodType: RawValueType | undefined;
  period = 0n;
  timeNanos = 0n;
  durationNanos = 0n;
  readonly samples = new Ranges(ProfileField.sample, 'pprof_samples_max', 'samples');
  readonly mappings = new Ranges(ProfileField.mapping, 'pprof_mappings_max', 'mappings');
  readonly locations = new Ranges(ProfileField.location, 'pprof_locations_max', 'locations');
  readonly functions = new Ranges(ProfileField.func, 'pprof_functions_max', 'functions');
  readonly strings = new Ranges(ProfileField.stringTable, 'pprof_strings_max', 'strings');
  /** By the tag of the field. */
  readonly #byTag: (Ranges | undefined)[] = new Array(256).fill(undefined);

  constructor() {
    for (const ranges of this.#all()) this.#byTag[ranges.tag] = ranges;
  }

  get byteLength(): number {
    let sum = 0;
    for (const ranges of this.#all()) sum += ranges.starts.byteLength * 2;
    return sum;
  }

  #all(): Ranges[] {
    return [this.samples, this.mappings, this.locations, this.functions, this.strings];
  }

  /** Reads the header fields and finds the sections, forgetting those of the profile before. */
  find(raw: Uint8Array, limits: PprofLimits): void {
    this.#reset(limits);
    const reader = new ProtoReader(raw, PPROF);
    const end = raw.length;
    let other = this.samples;
    let at = 0;
    while (at < end) {
      const ranges = this.#byTag[raw[at]!];
      if (ranges !== undefined) {
        const next = addRun(raw, at, ranges, other);
        if (ranges !== other) other = ranges;
        if (next !== at) {
          at = next;
          continue;
        }
      }
      reader.at = at;
      this.#readField(reader, limits);
      at = reader.at;
    }
    this.#check();
  }

  #reset(limits: PprofLimits): void {
    this.samples.reset(limits.samplesMax);
    this.mappings.reset(limits.mappingsMax);
    this.locations.reset(limits.locationsMax);
    this.functions.reset(limits.functionsMax);
    this.strings.reset(limits.stringsMax);
    this.sampleTypes = [];
    this.periodType = undefined;
    this.period = this.timeNanos = this.durationNanos = 0n;
  }

  #readField(reader: ProtoReader, limits: PprofLimits): void {
    const tag = reader.tag();
    const ranges = this.#byTag[tag];
    if (ranges !== undefined) {
      const end = reader.enter();
      ranges.add(reader.at, end);
      reader.at = end;
      return;
    }
    switch (tag) {
      case ProfileField.sampleType:
        this.sampleTypes.push(readValueType(reader));
        this.#checkTypes(limits.sampleTypesMax);
        break;
      case ProfileField.periodType:
        this.periodType = readValueType(reader);
        break;
      case ProfileField.period:
        reader.varint();
        this.period = reader.signed();
        break;
      case ProfileField.timeNanos:
        if (this.timeNanos !== 0n) reader.fail('has two times: this looks like two profiles glued together');
        reader.varint();
        this.timeNanos = reader.signed();
        break;
      case ProfileField.durationNanos:
        reader.varint();
        this.durationNanos = reader.signed();
        break;
      default:
        refuseKnownField(reader, tag);
        reader.skip(tag);
    }
  }

  #checkTypes(max: number): void {
    const { length } = this.sampleTypes;
    if (length > max)
      throw limitExceeded({ name: 'pprof_sample_types_max', value: max, unit: 'sample types' }, length);
  }

  #check(): void {
    for (const ranges of this.#all()) ranges.check();
    if (this.sampleTypes.length === 0) throw new MalformedInputError(PPROF, 'has no sample_type');
    const { starts, ends, count } = this.strings;
    if (count === 0 || starts[0] !== ends[0])
      throw new MalformedInputError(PPROF, 'string_table[0] must be ""');
  }
}

/**
 * Adds the fields that follow one another and belong to the section of the first or to one other: most writers leave a
 * section in one piece, and some leave locations and functions by turns. Stops at a field that is neither, or whose
 * length takes more than two bytes or passes the end, and answers where that one is.
 */
function addRun(raw: Uint8Array, at: number, section: Ranges, other: Ranges): number {
  const end = raw.length - 2;
  const tag = raw[at]!;
  const otherTag = other.tag;
  let { starts, ends, count } = section;
  let { starts: otherStarts, ends: otherEnds, count: otherCount } = other;
  let next = at;
  while (next < end) {
    const found = raw[next]!;
    if (found !== tag && found !== otherTag) break;
    let start = next + 2;
    let length = raw[next + 1]!;
    if (length > 127) length = (length & 127) | (raw[start++]! << 7);
    const stop = start + length;
    if (length >= 0x4000 || stop > raw.length) break;
    if (found === tag) {
      if (count === starts.length) {
        section.count = count;
        section.grow();
        ({ starts, ends } = section);
      }
      starts[count] = start;
      ends[count++] = stop;
    } else {
      if (otherCount === otherStarts.length) {
        other.count = otherCount;
        other.grow();
        ({ starts: otherStarts, ends: otherEnds } = other);
      }
      otherStarts[otherCount] = start;
      otherEnds[otherCount++] = stop;
    }
    next = stop;
  }
  if (other !== section) other.count = otherCount;
  section.count = count;
  return next;
}

/** A field that we read must have the wire type that we know; comments and what we do not read may have any. */
function refuseKnownField(reader: ProtoReader, tag: number): void {
  const field = tag >>> 3;
  if (field <= 6 || (field >= 9 && field <= 12)) reader.wrongWireType(tag);
}

function readValueType(reader: ProtoReader): RawValueType {
  const end = reader.enter();
  let type = 0;
  let unit = 0;
  while (reader.at < end) {
    const tag = reader.tag();
    if (tag === ValueTypeField.type) type = reader.uint();
    else if (tag === ValueTypeField.unit) unit = reader.uint();
    else reader.skip(tag);
  }
  reader.leave(end);
  return { type, unit };
}
