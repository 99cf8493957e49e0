import { encodePprof } from '../../../core/pprof/encode-pprof.ts';
import type { DatasetBuilder } from '../../../core/profile/dataset-builder.ts';

/** The rows of a dataset, summed per profile type, as one profile. Scales of one type must agree. */
export function encodeDataset({ symbols, types }: DatasetBuilder): Uint8Array {
  const names = [...types.keys()];
  return encodePprof({
    symbols,
    sampleTypes: names.map((id) => ({ type: id.split(':')[1]!, unit: id.split(':')[2]! })),
    values: names.map((id) => {
      const rows = types.get(id)!;
      const column = new Float64Array(symbols.stacks.count);
      for (let row = 0; row < rows.count; row++) {
        for (let i = rows.entryStarts[row]!; i < rows.entryStarts[row + 1]!; i++)
          column[rows.stacks[i]!]! += rows.values[i]! * (rows.scale[row]! / rows.scale[0]!);
      }
      return column;
    }),
    scale: names.map((id) => types.get(id)!.scale[0]!),
    timeNanos: 1_600_000_000_000_000_000n,
    durationNanos: 10_000_000_000n,
  });
}
