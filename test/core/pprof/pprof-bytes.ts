import { bytesOf, len, num, packed, unpacked } from '../wire/proto-bytes.ts';

// Writes pprof profiles for tests by hand, after google/pprof proto/profile.proto, from a plain description.

type Id = number | bigint;

export interface PprofText {
  /** "type/unit" each. */
  readonly sampleTypes?: readonly string[];
  readonly samples?: readonly SampleText[];
  readonly mappings?: readonly MappingText[];
  readonly locations?: readonly LocationText[];
  readonly functions?: readonly FunctionText[];
  readonly periodType?: string;
  readonly period?: Id;
  readonly timeNanos?: Id;
  readonly durationNanos?: Id;
  /** Bytes before and after the fields. */
  readonly before?: readonly number[];
  readonly after?: readonly number[];
  /** Repeated numbers one by one, as old writers leave them. */
  readonly isUnpacked?: boolean;
  /** String table first, or samples first (as Go has it). */
  readonly stringsFirst?: boolean;
}

export interface SampleText {
  /** Leaf first. */
  readonly locations: readonly Id[];
  readonly values: readonly Id[];
  readonly labels?: Readonly<Record<string, string | Id>>;
}

export interface MappingText {
  readonly id: Id;
  readonly start?: Id;
  readonly limit?: Id;
  readonly offset?: Id;
  readonly filename?: string;
  readonly buildId?: string;
  /** has_functions, has_filenames, has_line_numbers, has_inline_frames. */
  readonly has?: readonly boolean[];
}

export interface LocationText {
  readonly id: Id;
  readonly mapping?: Id;
  readonly address?: Id;
  /** Innermost first: function id, line, column. */
  readonly lines?: readonly (readonly [func: Id, line?: Id, column?: Id])[];
  readonly isFolded?: boolean;
}

export interface FunctionText {
  readonly id: Id;
  readonly name?: string;
  readonly systemName?: string;
  readonly filename?: string;
  readonly startLine?: Id;
}

export function pprofBytes(profile: PprofText): Uint8Array<ArrayBuffer> {
  const strings = [''];
  const string = (text: string) => {
    const known = strings.indexOf(text);
    return known >= 0 ? known : strings.push(text) - 1;
  };
  const valueType = (text: string) => {
    const [type, unit] = text.split('/');
    return [...optional(1, string(type!)), ...optional(2, string(unit ?? ''))];
  };
  const repeated = profile.isUnpacked ? unpacked : packed;
  const types = (profile.sampleTypes ?? ['samples/count']).flatMap((type) => len(1, valueType(type)));
  const samples = (profile.samples ?? []).flatMap(({ locations, values, labels = {} }) =>
    len(2, [
      ...repeated(1, locations),
      ...repeated(2, values),
      ...Object.entries(labels).flatMap(([key, value]) =>
        len(3, [
          ...num(1, string(key)),
          ...(typeof value === 'string' ? num(2, string(value)) : num(3, value)),
        ]),
      ),
    ]),
  );
  const mappings = (profile.mappings ?? []).flatMap((mapping) =>
    len(3, [
      ...num(1, mapping.id),
      ...optional(2, mapping.start),
      ...optional(3, mapping.limit),
      ...optional(4, mapping.offset),
      ...optional(5, string(mapping.filename ?? '')),
      ...optional(6, string(mapping.buildId ?? '')),
      ...(mapping.has ?? []).flatMap((has, i) => optional(7 + i, has ? 1 : 0)),
    ]),
  );
  const locations = (profile.locations ?? []).flatMap((location) =>
    len(4, [
      ...num(1, location.id),
      ...optional(2, location.mapping),
      ...optional(3, location.address),
      ...(location.lines ?? []).flatMap(([func, line, column]) =>
        len(4, [...optional(1, func), ...optional(2, line), ...optional(3, column)]),
      ),
      ...optional(5, location.isFolded ? 1 : 0),
    ]),
  );
  const functions = (profile.functions ?? []).flatMap((func) =>
    len(5, [
      ...num(1, func.id),
      ...optional(2, string(func.name ?? '')),
      ...optional(3, string(func.systemName ?? '')),
      ...optional(4, string(func.filename ?? '')),
      ...optional(5, func.startLine),
    ]),
  );
  const tail = [
    ...optional(9, profile.timeNanos),
    ...optional(10, profile.durationNanos),
    ...(profile.periodType === undefined ? [] : len(11, valueType(profile.periodType))),
    ...optional(12, profile.period),
  ];
  const table = strings.flatMap((text) => len(6, text));
  const { before = [], after = [] } = profile;
  return profile.stringsFirst
    ? bytesOf(before, table, functions, tail, locations, types, mappings, samples, after)
    : bytesOf(before, types, samples, mappings, locations, functions, table, tail, after);
}

function optional(field: number, value: Id | undefined): number[] {
  return value === undefined || value === 0 || value === 0n ? [] : num(field, value);
}

/** Functions named f1, f2, … with a location of the same id each: enough for most tests. */
export function plainSymbols(count: number): Pick<PprofText, 'locations' | 'functions'> {
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  return {
    functions: ids.map((id) => ({ id, name: `f${id}` })),
    locations: ids.map((id) => ({ id, lines: [[id]] })),
  };
}
