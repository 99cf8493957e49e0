/** The column with its first `count` numbers 0, or a longer one: columns are kept from one profile to the next. */
export function emptied<T extends Uint32Array | Int32Array>(column: T, count: number): T {
  if (count > column.length) return new (column.constructor as new (length: number) => T)(count * 2);
  column.fill(0, 0, count);
  return column;
}
