import { MalformedInputError } from '../errors.ts';
import { type Labels, labelsOf } from '../labels/labels.ts';
import { CPU_PROFILE_TYPE, profileTypeId } from '../labels/profile-type.ts';
import type { DatasetBuilder } from '../profile/dataset-builder.ts';
import { ProtoReader, WireType } from '../wire/proto-reader.ts';
import { type AttributeValue, OTLP, readAttribute } from './otlp-attributes.ts';
import { isIndices, OtlpDictionary, OtlpSymbols, readIndicesField } from './otlp-dictionary.ts';

// OTLP profiles, package opentelemetry.proto.profiles.v1development as of opentelemetry-proto v1.10 and v1.11 (the same
// on the wire). v1.9 and older number the fields of Sample otherwise and would be read as nonsense, so their layout is
// recognised and refused.

/** Attributes of a resource by key. */
export type ResourceAttributes = ReadonlyMap<string, AttributeValue>;

/** Where the samples of one resource go. */
export interface OtlpTarget {
  readonly dataset: DatasetBuilder;
  /** Labels of the series, with service_name. */
  readonly labels: Labels;
  /** Number of the batch in the batch table of the rows. */
  readonly batch: number;
}

export interface OtlpOptions {
  /** ms since epoch: start of a window that the sender left out. */
  readonly now: number;
  /** Where samples of a resource go; undefined leaves the resource out. */
  readonly target: (resource: ResourceAttributes) => OtlpTarget | undefined;
  /** Label name for a sample attribute such as thread.name; undefined drops it, and samples that differ only in it are summed. */
  readonly sampleLabel?: (attribute: string) => string | undefined;
}

export interface OtlpSummary {
  /** Samples that were added, by weight, and left out because `target` did not want their resource. */
  readonly samples: number;
  readonly skippedSamples: number;
  /** End of the latest window that was added, ms since epoch; 0 when none was. */
  readonly endMs: number;
  /** Profiles that were left out as invalid, and why the first of them was. */
  readonly rejectedProfiles: number;
  readonly message: string;
}

/**
 * Adds all profiles of an ExportProfilesServiceRequest (which is laid out as ProfilesData is).
 * @throws MalformedInputError when it does not follow the layout, or follows an older one
 */
export function addOtlp(bytes: Uint8Array, options: OtlpOptions): OtlpSummary {
  return new OtlpDecoder(bytes, options).decode();
}

/** Distinct label sets per profile; samples with further ones get the label overflow="true" instead of their own. */
export const OTLP_SERIES_MAX = 1000;
const OVERFLOW: [string, string][] = [['overflow', 'true']];

interface Range {
  readonly start: number;
  readonly end: number;
}

interface ProfileHead {
  type: string;
  unit: string;
  periodType: string;
  periodUnit: string;
  period: number;
  startMs: number;
  durationMs: number;
  samples: Range[];
}

/** A row being gathered: the samples of one label set. */
interface Group {
  readonly series: number;
  readonly stacks: number[];
  readonly values: number[];
  samples: number;
}

class OtlpDecoder {
  readonly #bytes: Uint8Array;
  readonly #options: OtlpOptions;
  readonly #dictionary: OtlpDictionary;
  readonly #symbols = new Map<DatasetBuilder, OtlpSymbols>();
  #samples = 0;
  #skipped = 0;
  #endMs = 0;
  #rejected = 0;
  #message = '';

  constructor(bytes: Uint8Array, options: OtlpOptions) {
    this.#bytes = bytes;
    this.#options = options;
    this.#dictionary = new OtlpDictionary(bytes);
  }

  decode(): OtlpSummary {
    const resources: Range[] = [];
    const reader = new ProtoReader(this.#bytes, OTLP);
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | WireType.bytes)) resources.push(rangeOf(reader));
      else if (tag === ((2 << 3) | WireType.bytes)) this.#dictionary.addTables(reader, reader.enter());
      else reader.skip(tag);
    }
    for (const range of resources) this.#resourceProfiles(range);
    return {
      samples: this.#samples,
      skippedSamples: this.#skipped,
      endMs: this.#endMs,
      rejectedProfiles: this.#rejected,
      message: this.#message,
    };
  }

  #over({ start, end }: Range): ProtoReader {
    return new ProtoReader(this.#bytes, OTLP, start, end);
  }

  /** ResourceProfiles {1 resource, 2 scope profiles*}. */
  #resourceProfiles(range: Range): void {
    const reader = this.#over(range);
    const attributes = new Map<string, AttributeValue>();
    const scopes: Range[] = [];
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | WireType.bytes)) this.#attributes(rangeOf(reader), attributes);
      else if (tag === ((2 << 3) | WireType.bytes)) scopes.push(rangeOf(reader));
      else reader.skip(tag);
    }
    const target = this.#options.target(attributes);
    for (const scope of scopes) this.#scopeProfiles(scope, target);
  }

  /** Resource {1 attributes*}. */
  #attributes(range: Range, into: Map<string, AttributeValue>): void {
    const reader = this.#over(range);
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (tag !== ((1 << 3) | WireType.bytes)) {
        reader.skip(tag);
        continue;
      }
      const [key, value] = readAttribute(reader, reader.enter(), (index) => this.#dictionary.text(index));
      if (key !== '' && value !== undefined) into.set(key, value);
    }
  }

  /** ScopeProfiles {2 profiles*}. */
  #scopeProfiles(range: Range, target: OtlpTarget | undefined): void {
    const reader = this.#over(range);
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (tag === ((2 << 3) | WireType.bytes)) this.#profile(rangeOf(reader), target);
      else reader.skip(tag);
    }
  }

  #profile(range: Range, target: OtlpTarget | undefined): void {
    const head = this.#profileHead(range);
    if (head.type === '') {
      this.#reject('a profile has no sample type');
      return;
    }
    const groups = new Map<string, Group>();
    for (const sample of head.samples) this.#sample(sample, head, target, groups);
    if (target !== undefined) for (const group of groups.values()) this.#addGroup(group, head, target);
  }

  #reject(message: string): void {
    this.#rejected++;
    this.#message ||= message;
  }

  /** Profile {1 sample type, 2 samples*, 3 time F64, 4 duration, 5 period type, 6 period}. */
  #profileHead(range: Range): ProfileHead {
    const reader = this.#over(range);
    const head: ProfileHead = {
      type: '',
      unit: '',
      periodType: '',
      periodUnit: '',
      period: 0,
      startMs: this.#options.now,
      durationMs: 1,
      samples: [],
    };
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | WireType.bytes)) [head.type, head.unit] = this.#valueType(rangeOf(reader));
      else if (tag === ((2 << 3) | WireType.bytes)) head.samples.push(rangeOf(reader));
      else if (tag === ((3 << 3) | WireType.fixed64)) {
        reader.fixed64();
        const ms = Number(((BigInt(reader.high) << 32n) | BigInt(reader.low)) / 1_000_000n);
        if (ms > 0 && ms < 4_102_444_800_000) head.startMs = ms;
      } else if (tag === ((4 << 3) | WireType.varint)) {
        reader.varint();
        const ms = (reader.high * 2 ** 32 + reader.low) / 1e6;
        head.durationMs = Math.min(Math.max(1, Math.round(ms)), 31 * 86_400_000);
      } else if (tag === ((5 << 3) | WireType.bytes))
        [head.periodType, head.periodUnit] = this.#valueType(rangeOf(reader));
      else if (tag === ((6 << 3) | WireType.varint)) head.period = reader.uint();
      else reader.skip(tag);
    }
    return head;
  }

  /** ValueType {1 type, 2 unit}, both indices of strings. */
  #valueType(range: Range): [string, string] {
    const reader = this.#over(range);
    let type = 0;
    let unit = 0;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | WireType.varint)) type = reader.uint();
      else if (tag === ((2 << 3) | WireType.varint)) unit = reader.uint();
      else reader.skip(tag);
    }
    return [
      this.#dictionary.text(type).replaceAll(':', '_'),
      this.#dictionary.text(unit).replaceAll(':', '_'),
    ];
  }

  /** Sample {1 stack, 2 attributes*, 3 link, 4 values*, 5 timestamps F64*}. */
  #sample(range: Range, head: ProfileHead, target: OtlpTarget | undefined, groups: Map<string, Group>): void {
    const reader = this.#over(range);
    let stack = 0;
    let sum = 0;
    let values = 0;
    let timestamps = 0;
    const labels: [string, string][] = [];
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | WireType.varint)) stack = reader.uint();
      else if (tag === ((3 << 3) | WireType.bytes) || tag === ((4 << 3) | WireType.varint))
        refuseLegacy(range.start);
      else if (isIndices(tag, 2)) this.#sampleLabels(readIndicesField(reader, tag), labels);
      else if (tag === ((4 << 3) | WireType.bytes)) {
        for (const value of readIndicesField(reader, tag)) {
          sum += value;
          values++;
        }
      } else if (tag === ((5 << 3) | WireType.bytes)) timestamps += countFixed64(reader);
      else if (tag === ((5 << 3) | WireType.fixed64)) {
        reader.fixed64();
        timestamps++;
      } else reader.skip(tag);
    }
    if (values === 0 && timestamps === 0) {
      this.#reject('a sample has neither values nor timestamps');
      return;
    }
    if (values > 0 && timestamps > 0 && values !== timestamps) {
      this.#reject('a sample has as many values as timestamps, or only one of them');
      return;
    }
    const weight = values > 0 ? sum : timestamps;
    const count = head.unit === 'count' ? weight : Math.max(1, timestamps);
    if (target === undefined) {
      this.#skipped += count;
      return;
    }
    this.#samples += count;
    const group = this.#group(groups, target, labels);
    group.stacks.push(this.#symbolsOf(target.dataset).stack(stack));
    group.values.push(weight);
    group.samples += count;
  }

  #sampleLabels(attributes: number[], labels: [string, string][]): void {
    for (const index of attributes) {
      const [key, value] = this.#dictionary.attribute(index);
      const name = this.#options.sampleLabel?.(key);
      if (name !== undefined && value !== undefined) labels.push([name, String(value)]);
    }
  }

  #group(groups: Map<string, Group>, target: OtlpTarget, labels: [string, string][]): Group {
    const key = labels.length === 0 ? '' : JSON.stringify(labels);
    let group = groups.get(key);
    if (group === undefined) {
      if (groups.size >= OTLP_SERIES_MAX && labels !== OVERFLOW) return this.#group(groups, target, OVERFLOW);
      const series = target.dataset.series.intern(
        labels.length === 0 ? target.labels : labelsOf([...labels, ...target.labels]),
      );
      groups.set(key, (group = { series, stacks: [], values: [], samples: 0 }));
    }
    return group;
  }

  #symbolsOf(dataset: DatasetBuilder): OtlpSymbols {
    let symbols = this.#symbols.get(dataset);
    if (symbols === undefined) {
      symbols = new OtlpSymbols(this.#dictionary, dataset.symbols);
      this.#symbols.set(dataset, symbols);
    }
    return symbols;
  }

  #addGroup(group: Group, head: ProfileHead, { dataset, batch }: OtlpTarget): void {
    const { profileType, factor } = profileTypeOf(head);
    this.#endMs = Math.max(this.#endMs, head.startMs + head.durationMs);
    dataset.entries.begin(dataset.symbols.stacks.count);
    for (const [i, stack] of group.stacks.entries()) dataset.entries.add(stack, group.values[i]! * factor);
    dataset.addAccumulated(profileType, {
      series: group.series,
      start: head.startMs,
      duration: head.durationMs,
      batch,
      samples: group.samples,
    });
  }
}

/** Counted CPU samples stand for their period each; everything else is stored as it came, named after its sample type. */
function profileTypeOf({ type, unit, periodType, periodUnit, period }: ProfileHead): {
  profileType: string;
  factor: number;
} {
  const isCpu =
    type === 'samples' && unit === 'count' && periodType === 'cpu' && periodUnit === 'nanoseconds';
  if (isCpu && period > 0) return { profileType: CPU_PROFILE_TYPE, factor: period };
  const periodOf = periodType === '' ? undefined : { type: periodType, unit: periodUnit };
  return { profileType: profileTypeId(type, { type, unit }, periodOf), factor: 1 };
}

function rangeOf(reader: ProtoReader): Range {
  const end = reader.enter();
  const start = reader.at;
  reader.at = end;
  return { start, end };
}

function countFixed64(reader: ProtoReader): number {
  const length = reader.view().length;
  if (length % 8 !== 0) reader.fail('timestamps are not a whole number of fixed64');
  return length / 8;
}

function refuseLegacy(offset: number): never {
  throw new MalformedInputError(
    OTLP,
    'has the layout of opentelemetry-proto v1.9 or older; upgrade the sender to v1.10 (eBPF profiler v0.0.202614, collector v0.148) or newer',
    offset,
  );
}
