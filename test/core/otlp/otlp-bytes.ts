import { bytesOf, fixed64, len, littleEndian64, num, packed, unpacked } from '../wire/proto-bytes.ts';

// Writes OTLP profile requests for tests by hand, after opentelemetry/proto/profiles/v1development/profiles.proto of
// v1.10. Strings, functions and so on are numbered by the caller's order; index 0 of every table is the zero value.

type Id = number | bigint;

export interface OtlpText {
  readonly strings: readonly string[];
  /** Key index and value: a text, a number, or { index } for a string of the table. */
  readonly attributes?: readonly (readonly [key: number, value: AnyText])[];
  readonly mappings?: readonly { filename?: number; attributes?: readonly number[] }[];
  readonly functions?: readonly {
    name: number;
    systemName?: number;
    filename?: number;
    startLine?: number;
  }[];
  readonly locations?: readonly {
    mapping?: number;
    address?: Id;
    lines?: readonly (readonly [func: number, line?: number])[];
    attributes?: readonly number[];
  }[];
  /** Location indices, leaf first. */
  readonly stacks?: readonly (readonly number[])[];
  readonly resources: readonly ResourceText[];
  readonly isUnpacked?: boolean;
  /** More fields for every message. */
  readonly unknown?: readonly number[];
}

export type AnyText = string | number | boolean | { readonly index: number };

export interface ResourceText {
  /** Keys as text or as index of a string. */
  readonly attributes?: readonly (readonly [key: string | { index: number }, value: AnyText])[];
  readonly profiles: readonly ProfileText[];
}

export interface ProfileText {
  readonly type?: number;
  readonly unit?: number;
  readonly periodType?: number;
  readonly periodUnit?: number;
  readonly period?: Id;
  readonly time?: Id;
  readonly duration?: Id;
  readonly samples: readonly SampleText[];
}

export interface SampleText {
  readonly stack: number;
  readonly values?: readonly Id[];
  readonly timestamps?: readonly Id[];
  readonly attributes?: readonly number[];
  readonly link?: number;
}

export function otlpBytes(text: OtlpText): Uint8Array<ArrayBuffer> {
  const { unknown = [] } = text;
  const repeated = text.isUnpacked ? unpacked : packed;
  const message = (field: number, ...parts: number[][]) => len(field, [...parts.flat(), ...unknown]);
  const table = (field: number, entries: readonly number[][]) =>
    [[], ...entries].flatMap((entry) => message(field, entry));
  const dictionary = [
    ...table(
      1,
      (text.mappings ?? []).map((mapping) => [
        ...some(4, mapping.filename),
        ...indices(5, mapping.attributes, repeated),
      ]),
    ),
    ...table(
      2,
      (text.locations ?? []).map(({ mapping, address, lines = [], attributes }) => [
        ...some(1, mapping),
        ...some(2, address),
        ...lines.flatMap(([func, line]) => message(3, num(1, func), some(2, line))),
        ...indices(4, attributes, repeated),
      ]),
    ),
    ...table(
      3,
      (text.functions ?? []).map((func) => [
        ...num(1, func.name),
        ...some(2, func.systemName),
        ...some(3, func.filename),
        ...some(4, func.startLine),
      ]),
    ),
    ...['', ...text.strings].flatMap((string) => len(5, string)),
    ...table(
      6,
      (text.attributes ?? []).map(([key, value]) => [...num(1, key), ...len(2, anyValue(value))]),
    ),
    ...table(
      7,
      (text.stacks ?? []).map((locations) => repeated(1, locations)),
    ),
  ];
  const resources = text.resources.map(({ attributes = [], profiles }) =>
    message(
      1,
      message(
        1,
        attributes.flatMap(([key, value]) =>
          message(1, typeof key === 'string' ? len(1, key) : num(3, key.index), len(2, anyValue(value))),
        ),
      ),
      message(
        2,
        message(1),
        profiles.flatMap((profile) => message(2, profileFields(profile, text.isUnpacked ?? false, message))),
      ),
    ),
  );
  return bytesOf(resources.flat(), message(2, dictionary), unknown);
}

function profileFields(
  profile: ProfileText,
  isUnpacked: boolean,
  message: (field: number, ...parts: number[][]) => number[],
): number[] {
  return [
    ...message(1, some(1, profile.type), some(2, profile.unit)),
    ...profile.samples.flatMap((sample) => message(2, sampleFields(sample, isUnpacked))),
    ...(profile.time === undefined ? [] : fixed64(3, profile.time)),
    ...some(4, profile.duration),
    ...message(5, some(1, profile.periodType), some(2, profile.periodUnit)),
    ...some(6, profile.period),
    ...len(7, new Array(16).fill(7)),
  ];
}

function sampleFields(
  { stack, values, timestamps, attributes, link }: SampleText,
  isUnpacked: boolean,
): number[] {
  return [
    ...some(1, stack),
    ...indices(2, attributes, isUnpacked ? unpacked : packed),
    ...some(3, link),
    // Never one by one: field 4 as a varint is how the older layout is told.
    ...(values === undefined ? [] : packed(4, values)),
    ...(timestamps === undefined
      ? []
      : isUnpacked
        ? timestamps.flatMap((at) => fixed64(5, at))
        : len(5, timestamps.flatMap(littleEndian64))),
  ];
}

function anyValue(value: AnyText): number[] {
  if (typeof value === 'string') return len(1, value);
  if (typeof value === 'boolean') return num(2, value ? 1 : 0);
  if (typeof value === 'number') return num(3, value);
  return num(8, value.index);
}

function some(field: number, value: Id | undefined): number[] {
  return value === undefined || value === 0 ? [] : num(field, value);
}

function indices(field: number, values: readonly number[] | undefined, repeated: typeof packed): number[] {
  return values === undefined ? [] : repeated(field, values);
}
