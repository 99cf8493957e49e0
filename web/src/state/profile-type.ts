/** The five parts of a profile type id, `name:sample_type:sample_unit:period_type:period_unit`. */
export interface ProfileTypeParts {
  name: string;
  sampleType: string;
  unit: string;
  periodType: string;
  periodUnit: string;
}

export function profileTypeParts(id: string): ProfileTypeParts {
  const [name = '', sampleType = '', unit = '', periodType = '', periodUnit = ''] = id.split(':');
  return { name, sampleType, unit, periodType, periodUnit };
}

const WORDS: Record<string, string> = {
  'process_cpu:cpu': 'CPU',
  'process_cpu:samples': 'CPU samples',
  'wall:wall': 'Wall time',
  'wall:samples': 'Wall samples',
  'memory:alloc_space': 'Allocated memory',
  'memory:alloc_objects': 'Allocated objects',
  'memory:inuse_space': 'Memory in use',
  'memory:inuse_objects': 'Objects in use',
  'memory:space': 'Heap',
  'memory:objects': 'Heap objects',
  'goroutine:goroutine': 'Goroutines',
  'goroutines:goroutine': 'Goroutines',
  'mutex:contentions': 'Lock contentions',
  'mutex:delay': 'Lock wait',
  'block:contentions': 'Blocking events',
  'block:delay': 'Blocking time',
};

/** "CPU", "Allocated memory"; for others the ids' own words. */
export function profileTypeName(id: string): string {
  const { name, sampleType } = profileTypeParts(id);
  const known = WORDS[`${name}:${sampleType}`];
  if (known !== undefined) return known;
  return name === sampleType || name === '' ? sampleType : `${name}: ${sampleType}`;
}

/** Time spent on a processor: value ÷ wall time is a number of cores. */
export function isCpuTime(id: string): boolean {
  const { sampleType, unit } = profileTypeParts(id);
  return sampleType === 'cpu' && unit === 'nanoseconds';
}

/** CPU first, then by name; the first is what a page opens with. */
export function sortProfileTypes(ids: readonly string[]): string[] {
  const rank = (id: string) => (isCpuTime(id) ? 0 : 1);
  return [...new Set(ids)].sort(
    (a, b) => rank(a) - rank(b) || profileTypeName(a).localeCompare(profileTypeName(b)),
  );
}
