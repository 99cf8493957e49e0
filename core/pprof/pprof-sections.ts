import { limitExceeded, MalformedInputError } from '../errors.ts';
import { ProtoReader } from '../wire/proto-reader.ts';
import { ProfileField, ValueTypeField } from './pprof-fields.ts';
import type { PprofLimits } from './pprof-limits.ts';

/** Names this format in errors. */
export const PPROF = 'pprof';

/** Byte ranges [starts[i], ends[i]) of the messages of one repeated field. */
export class Ranges {
  starts = new Uint32Array(64);
  ends = new Uint32Array(64);
  count = 0;
  readonly #limit: { name: string; value: number; unit: string };

  constructor(name: string, max: number, unit: string) {
    this.#limit = { name, value: max, unit };
  }

  add(start: number, end: number): void {
    if (this.count === this.starts.length) this.#grow();
    this.starts[this.count] = start;
    this.ends[this.count++] = end;
  }

  #grow(): void {
    this.check();
    const size = this.count * 2;
    const starts = new Uint32Array(size);
    const ends = new Uint32Array(size);
    starts.set(this.starts);
    ends.set(this.ends);
    this.starts = starts;
    this.ends = ends;
  }

  /** @throws RejectedError when there are more than allowed */
  check(): void {
    if (this.count > this.#limit.value) throw limitExceeded(this.#limit, this.count);
  }
}

/** A ValueType whose strings are still indexes into the string table. */
export interface RawValueType {
  readonly type: number;
  readonly unit: number;
}

/** Where everything is in a profile: the result of one pass over its top-level fields. */
export interface PprofSections {
  readonly sampleTypes: readonly RawValueType[];
  readonly periodType: RawValueType | undefined;
  readonly period: bigint;
  readonly timeNanos: bigint;
  readonly durationNanos: bigint;
  readonly samples: Ranges;
  readonly mappings: Ranges;
  readonly locations: Ranges;
  readonly functions: Ranges;
  readonly strings: Ranges;
}

/** First pass: finds the sections, which may come in any order. Nothing is decoded but a handful of header fields. */
export function findSections(raw: Uint8Array, limits: PprofLimits): PprofSections {
  const reader = new ProtoReader(raw, PPROF);
  const samples = new Ranges('pprof_samples_max', limits.samplesMax, 'samples');
  const mappings = new Ranges('pprof_mappings_max', limits.mappingsMax, 'mappings');
  const locations = new Ranges('pprof_locations_max', limits.locationsMax, 'locations');
  const functions = new Ranges('pprof_functions_max', limits.functionsMax, 'functions');
  const strings = new Ranges('pprof_strings_max', limits.stringsMax, 'strings');
  const sampleTypes: RawValueType[] = [];
  let periodType: RawValueType | undefined;
  let period = 0n;
  let timeNanos = 0n;
  let durationNanos = 0n;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case ProfileField.sample:
        addRange(reader, samples);
        break;
      case ProfileField.mapping:
        addRange(reader, mappings);
        break;
      case ProfileField.location:
        addRange(reader, locations);
        break;
      case ProfileField.func:
        addRange(reader, functions);
        break;
      case ProfileField.stringTable:
        addRange(reader, strings);
        break;
      case ProfileField.sampleType:
        sampleTypes.push(readValueType(reader));
        if (sampleTypes.length > limits.sampleTypesMax) {
          throw limitExceeded(
            { name: 'pprof_sample_types_max', value: limits.sampleTypesMax, unit: 'sample types' },
            sampleTypes.length,
          );
        }
        break;
      case ProfileField.periodType:
        periodType = readValueType(reader);
        break;
      case ProfileField.period:
        reader.varint();
        period = reader.signed();
        break;
      case ProfileField.timeNanos:
        if (timeNanos !== 0n) reader.fail('has two times: this looks like two profiles glued together');
        reader.varint();
        timeNanos = reader.signed();
        break;
      case ProfileField.durationNanos:
        reader.varint();
        durationNanos = reader.signed();
        break;
      default:
        refuseKnownField(reader, tag);
        reader.skip(tag);
    }
  }
  for (const ranges of [samples, mappings, locations, functions, strings]) ranges.check();
  if (sampleTypes.length === 0) throw new MalformedInputError(PPROF, 'has no sample_type');
  if (strings.count === 0 || strings.starts[0] !== strings.ends[0])
    throw new MalformedInputError(PPROF, 'string_table[0] must be ""');
  return {
    sampleTypes,
    periodType,
    period,
    timeNanos,
    durationNanos,
    samples,
    mappings,
    locations,
    functions,
    strings,
  };
}

function addRange(reader: ProtoReader, ranges: Ranges): void {
  const end = reader.enter();
  ranges.add(reader.at, end);
  reader.at = end;
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
