import { profileTypeId } from '../../core/labels/profile-type.ts';

/** How a folded upload is filed, by the part of its app name after the last dot. */
export interface FoldedType {
  /** App name without the type. */
  app: string;
  /** Profile type id. Times have the period type cpu:nanoseconds, others none, as Pyroscope files them. */
  profileType: string;
  /** What one count stands for, in the type's unit. */
  valueScale: number;
}

/** Type → profile name, unit. Times are counts of samples, to be multiplied by their period. */
const TYPES: Record<string, [profileName: string, sampleType: string, unit: string]> = {
  cpu: ['process_cpu', 'cpu', 'nanoseconds'],
  itimer: ['process_cpu', 'cpu', 'nanoseconds'],
  wall: ['wall', 'wall', 'nanoseconds'],
  inuse_objects: ['memory', 'inuse_objects', 'count'],
  inuse_space: ['memory', 'inuse_space', 'bytes'],
  alloc_objects: ['memory', 'alloc_objects', 'count'],
  alloc_space: ['memory', 'alloc_space', 'bytes'],
  alloc_in_new_tlab_objects: ['memory', 'alloc_in_new_tlab_objects', 'count'],
  alloc_in_new_tlab_bytes: ['memory', 'alloc_in_new_tlab_bytes', 'bytes'],
  alloc_outside_tlab_objects: ['memory', 'alloc_outside_tlab_objects', 'count'],
  alloc_outside_tlab_bytes: ['memory', 'alloc_outside_tlab_bytes', 'bytes'],
  live: ['memory', 'live', 'count'],
  goroutines: ['goroutine', 'goroutine', 'count'],
  mutex_count: ['mutex', 'contentions', 'count'],
  mutex_duration: ['mutex', 'delay', 'nanoseconds'],
  block_count: ['block', 'contentions', 'count'],
  block_duration: ['block', 'delay', 'nanoseconds'],
  lock_count: ['block', 'contentions', 'count'],
  lock_duration: ['block', 'delay', 'nanoseconds'],
  exceptions: ['exceptions', 'exceptions', 'count'],
};

const COUNTED_TIMES = new Set(['cpu', 'wall']);

/** A name whose last part is no known type, such as `my.service`, is all name, and its counts are CPU samples. */
export function foldedTypeOf(name: string, sampleRate: number): FoldedType {
  const dot = name.lastIndexOf('.');
  const suffix = name.slice(dot + 1);
  const isTyped = dot > 0 && Object.hasOwn(TYPES, suffix);
  const [profileName, type, unit] = TYPES[isTyped ? suffix : 'cpu']!;
  const isTime = COUNTED_TIMES.has(type);
  return {
    app: isTyped ? name.slice(0, dot) : name,
    profileType: profileTypeId(
      profileName,
      { type, unit },
      isTime ? { type: 'cpu', unit: 'nanoseconds' } : undefined,
    ),
    valueScale: isTime ? Math.round(1e9 / sampleRate) : 1,
  };
}
