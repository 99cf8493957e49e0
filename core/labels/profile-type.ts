import { RejectedError } from '../errors.ts';

/** What a value counts: `type` such as "cpu", `unit` such as "nanoseconds". */
export interface ValueType {
  readonly type: string;
  readonly unit: string;
}

/**
 * The selector that people pick: which profile, which of its sample types, and the period it was taken with.
 * Written `name:sample_type:sample_unit:period_type:period_unit`, the period parts possibly empty.
 */
export interface ProfileType {
  readonly id: string;
  readonly name: string;
  readonly sampleType: string;
  readonly sampleUnit: string;
  readonly periodType: string;
  readonly periodUnit: string;
}

/** Profile type of the node agent's CPU samples. */
export const CPU_PROFILE_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

export function profileTypeId(name: string, sample: ValueType, period?: ValueType): string {
  return `${name}:${sample.type}:${sample.unit}:${period?.type ?? ''}:${period?.unit ?? ''}`;
}

/** @throws RejectedError('invalid') when the id does not have five parts or lacks name or sample type. */
export function parseProfileType(id: string): ProfileType {
  const parts = id.split(':');
  const [name, sampleType, sampleUnit, periodType, periodUnit] = parts;
  if (parts.length !== 5 || !name || !sampleType) {
    throw new RejectedError(
      'invalid',
      `profile type "${id}" must be name:sample_type:sample_unit:period_type:period_unit, such as ${CPU_PROFILE_TYPE}`,
    );
  }
  return {
    id,
    name,
    sampleType,
    sampleUnit: sampleUnit!,
    periodType: periodType!,
    periodUnit: periodUnit!,
  };
}
