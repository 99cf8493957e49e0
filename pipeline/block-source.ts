import type { RangeSource } from '../core/block/block-reader.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/** Objects up to this size are read whole at once: one request costs more than the bytes it might have saved. */
export const WHOLE_READ_BYTES_MAX = 256 * 1024;

/** A stored block as something to read ranges of. Small ones are fetched once, with the first read. */
export function objectSource(
  objects: ObjectStore,
  key: string,
  size: number,
  wholeBytesMax = WHOLE_READ_BYTES_MAX,
): RangeSource {
  if (size > wholeBytesMax) {
    return {
      read: (start, end) => objects.getRange(key, start, end),
      tail: (length) => objects.getTail(key, length),
    };
  }
  let whole: Promise<Uint8Array> | undefined;
  const bytes = () => (whole ??= objects.getTail(key, Math.max(1, size)).then((tail) => tail.bytes));
  return {
    read: async (start, end) => (await bytes()).subarray(start, end),
    tail: async (length) => {
      const all = await bytes();
      return { bytes: all.subarray(Math.max(0, all.length - length)), size: all.length };
    },
  };
}
