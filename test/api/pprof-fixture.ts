import { Function as Func, Line, Location, Profile, Sample, StringTable, ValueType } from 'pprof-format';

export interface PprofSpec {
  /** `root;child;leaf` → one value per sample type. */
  stacks: Record<string, number[]>;
  /** `[type, unit]` each. Default cpu/nanoseconds. */
  types?: [string, string][];
  period?: [string, string] | undefined;
  timeMs?: number;
  durationMs?: number;
}

/** A pprof profile written by an encoder that is not ours. */
export function pprofOf(spec: PprofSpec): Uint8Array<ArrayBuffer> {
  const { types = [['cpu', 'nanoseconds']], timeMs = 0, durationMs = 0 } = spec;
  const period = 'period' in spec ? spec.period : ['cpu', 'nanoseconds'];
  const stringTable = new StringTable();
  const ids = new Map<string, number>();
  const sample = Object.entries(spec.stacks).map(([stack, value]) => {
    const names = stack.split(';').reverse();
    for (const name of names) if (!ids.has(name)) ids.set(name, ids.size + 1);
    return new Sample({ locationId: names.map((name) => ids.get(name)!), value });
  });
  const typeOf = ([type, unit]: readonly string[]) =>
    new ValueType({ type: stringTable.dedup(type!), unit: stringTable.dedup(unit!) });
  const profile = new Profile({
    sampleType: types.map(typeOf),
    sample,
    location: [...ids.values()].map(
      (id) => new Location({ id, line: [new Line({ functionId: id, line: 1 })] }),
    ),
    function: [...ids].map(([name, id]) => new Func({ id, name: stringTable.dedup(name) })),
    stringTable,
    timeNanos: BigInt(timeMs) * 1_000_000n,
    durationNanos: BigInt(durationMs) * 1_000_000n,
    ...(period && { periodType: typeOf(period), period: 10_000_000 }),
  });
  return new Uint8Array(profile.encode());
}
