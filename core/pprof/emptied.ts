/**
 * The column with its first `count` numbers 0, or a longer one: columns are kept from one profile to the next. Columns
 * of this folder are signed, though no number in them is negative: unsigned ones become doubles in arithmetic.
 */
export function emptied(column: Int32Array, count: number): Int32Array {
  if (count > column.length) return new Int32Array(count * 2);
  column.fill(0, 0, count);
  return column;
}
