/** A number as an int64 field: what is no whole number is cut to one. */
export function whole(value: number): bigint {
  return BigInt(Math.trunc(value));
}

/** All fields as int64 fields. */
export function allWhole<T extends Record<string, number>>(counts: T): { [K in keyof T]: bigint } {
  return Object.fromEntries(Object.entries(counts).map(([name, value]) => [name, whole(value)])) as {
    [K in keyof T]: bigint;
  };
}
