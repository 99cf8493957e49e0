import { profileTypeId, type ValueType } from '../labels/profile-type.ts';
import type { PprofSections, RawValueType } from './pprof-sections.ts';
import type { StringSection } from './string-section.ts';

/** Sample type of the sizes of negative values: "inuse_space" that shrank is "inuse_space_negative". */
export const NEGATIVE_SUFFIX = '_negative';

/**
 * Rows hold no negative values, as a flame graph cannot show one; differences of gauges (such as Go's inuse_space with
 * ?seconds=) do have them. They are kept under a profile type of their own, sign turned: what grew under `positive`,
 * what shrank under `negative`, and the profile's own total is the difference of both.
 */
export interface SignedProfileType {
  readonly positive: string;
  readonly negative: string;
}

/** The profile types of one profile. */
export interface ProfileTypes {
  /** Per sample type. */
  readonly signed: readonly SignedProfileType[];
  /** Which sample type counts samples, or -1. */
  readonly countType: number;
  /** No two of all these ids are the same, positive or negative. */
  readonly areDistinct: boolean;
}

/** What the ids were made of. */
interface Known extends ProfileTypes {
  readonly name: string;
  readonly types: readonly ValueType[];
  readonly period: ValueType | undefined;
}

const KNOWN_MAX = 8;

/** Makes the profile type ids of profile after profile, and remembers a few: most profiles have those of one before. */
export class ProfileTypeNames {
  #known: Known[] = [];

  of(
    sections: PprofSections,
    strings: StringSection,
    profileName: (sampleTypes: readonly ValueType[]) => string,
  ): ProfileTypes {
    const types = sections.sampleTypes.map((type) => cleaned(valueTypeOf(type, strings)));
    const period = sections.periodType && cleaned(valueTypeOf(sections.periodType, strings));
    const name = profileName(types);
    for (const known of this.#known) if (isMadeOf(known, name, types, period)) return known;
    const made = profileTypesOf(name, types, period);
    // What was cut may hold on to the whole text, so it is not remembered.
    if ([...types, ...(period === undefined ? [] : [period])].some(mayBeCut)) return made;
    if (this.#known.length === KNOWN_MAX) this.#known = [];
    this.#known.push({ name, types, period, ...made });
    return made;
  }
}

function isMadeOf(
  known: Known,
  name: string,
  types: readonly ValueType[],
  period: ValueType | undefined,
): boolean {
  if (known.name !== name || known.types.length !== types.length || !isSame(known.period, period))
    return false;
  return types.every((type, i) => isSame(type, known.types[i]));
}

function isSame(a: ValueType | undefined, b: ValueType | undefined): boolean {
  return a?.type === b?.type && a?.unit === b?.unit;
}

function profileTypesOf(
  name: string,
  types: readonly ValueType[],
  period: ValueType | undefined,
): ProfileTypes {
  const signed = types.map((type) => ({
    positive: profileTypeId(name, type, period),
    negative: profileTypeId(name, { type: type.type + NEGATIVE_SUFFIX, unit: type.unit }, period),
  }));
  const countType = types.findIndex(
    ({ type, unit }) => unit === 'count' && (type === 'samples' || type === 'sample'),
  );
  const ids = new Set(signed.flatMap(({ positive, negative }) => [positive, negative]));
  return { signed, countType, areDistinct: ids.size === 2 * signed.length };
}

function valueTypeOf(raw: RawValueType, strings: StringSection): ValueType {
  return { type: strings.text(raw.type), unit: strings.text(raw.unit) };
}

/** Longest type or unit of a value that is kept, in characters. */
const TYPE_LENGTH_MAX = 128;

/** A profile type id has its parts between colons, so none may hold one. */
function cleaned(value: ValueType): ValueType {
  const { type, unit } = value;
  if (isClean(type) && type !== '' && isClean(unit)) return value;
  const part = (text: string) => text.slice(0, TYPE_LENGTH_MAX).replaceAll(':', '_');
  return { type: part(type) || 'unknown', unit: part(unit) };
}

/** Whether this may be the start of a longer text. */
function mayBeCut({ type, unit }: ValueType): boolean {
  return type.length >= TYPE_LENGTH_MAX || unit.length >= TYPE_LENGTH_MAX;
}

function isClean(text: string): boolean {
  return text.length <= TYPE_LENGTH_MAX && !text.includes(':');
}
