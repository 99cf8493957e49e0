import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DatasetBuilder } from '../../../core/profile/dataset-builder.ts';
import { FrameColumn, FunctionColumn, MappingColumn } from '../../../core/profile/symbol-table.ts';
import { fuzzOptions } from '../fuzz-options.ts';
import { contentOf, decode } from './decoded.ts';
import { encodeDataset } from './encode-dataset.ts';
import { pprofBytes } from './pprof-bytes.ts';
import { randomPprof } from './random-pprof.ts';

// Law: decode∘encode = identity up to the order of tables: stacks with all that their frames, functions and mappings
// say, and values.

/** Every column that a stack's frames lead to, in text. */
function fullStacks({
  symbols: { strings, functions, mappings, frames, stacks },
  types,
}: DatasetBuilder): Map<string, number[]> {
  const texts: string[] = [''];
  for (let i = 1; i < stacks.count; i++) {
    const frame = [
      ...frames.rows.subarray(stacks.frames[i]! * frames.width, (stacks.frames[i]! + 1) * frames.width),
    ];
    const func = [
      ...functions.rows.subarray(
        frame[FrameColumn.func]! * functions.width,
        (frame[FrameColumn.func]! + 1) * functions.width,
      ),
    ];
    const mapping = [
      ...mappings.rows.subarray(
        frame[FrameColumn.mapping]! * mappings.width,
        (frame[FrameColumn.mapping]! + 1) * mappings.width,
      ),
    ];
    const named = [
      ...[FunctionColumn.name, FunctionColumn.systemName, FunctionColumn.filename].map((column) =>
        strings.text(func[column]!),
      ),
      ...[MappingColumn.filename, MappingColumn.buildId].map((column) => strings.text(mapping[column]!)),
    ];
    const numbers = [
      func[FunctionColumn.startLine],
      ...mapping.slice(MappingColumn.startLow),
      ...frame.filter((_, column) => column !== FrameColumn.func && column !== FrameColumn.mapping),
    ];
    texts.push(`${texts[stacks.parents[i]!]}/${JSON.stringify([named, numbers])}`);
  }
  const values = new Map<string, number[]>();
  let t = 0;
  for (const rows of types.values()) {
    for (let i = 0; i < rows.entryCount; i++) {
      const text = texts[rows.stacks[i]!]!;
      if (!values.has(text)) values.set(text, []);
      values.get(text)![t] = rows.values[i]! * rows.scale[0]!;
    }
    t++;
  }
  return values;
}

test('decode∘encode is the identity', () => {
  fc.assert(
    fc.property(randomPprof(), (text) => {
      const { dataset } = decode(pprofBytes(text));
      if (dataset.types.size === 0) return;
      const again = decode(encodeDataset(dataset)).dataset;
      assert.deepEqual(contentOf(again), contentOf(dataset));
      assert.deepEqual(fullStacks(again), fullStacks(dataset));
    }),
    fuzzOptions(300),
  );
});

test('encoding is deterministic, and a second time around nothing changes any more', () => {
  fc.assert(
    fc.property(randomPprof(), (text) => {
      const { dataset } = decode(pprofBytes(text));
      if (dataset.types.size === 0) return;
      const first = encodeDataset(dataset);
      assert.deepEqual(encodeDataset(dataset), first);
      const second = encodeDataset(decode(first).dataset);
      assert.deepEqual(encodeDataset(decode(second).dataset), second);
    }),
    fuzzOptions(100),
  );
});
