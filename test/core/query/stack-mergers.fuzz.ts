// Merging what others have merged is merging everything: for call trees, whose sums keep the names of frames alone, and
// for profiles, whose sums keep all symbols. The sums pass through the section of a block on their way.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeSymbols, encodeSymbols } from '../../../core/block/symbols-section.ts';
import { FrameKind } from '../../../core/flamegraph/call-tree.ts';
import {
  FRAME_KIND_SHIFT,
  FrameColumn,
  FunctionColumn,
  MappingColumn,
  type Symbols,
  SymbolTable,
} from '../../../core/profile/symbol-table.ts';
import { ProfileMerger } from '../../../core/query/profile-merger.ts';
import type { StackMerger, StackSums } from '../../../core/query/stack-merger.ts';
import { TreeMerger } from '../../../core/query/tree-merger.ts';
import { property, SEED } from '../block/fixtures.ts';

const NAMES = ['', 'main', 'serve', 'λ', 'total', '[unknown]'];
const FILES = ['', '/srv/app/server.ts', 'server.ts', '/usr/bin/app', '[kernel.kallsyms]'];

/** Stacks of few functions in few binaries, some without a name, some with addresses, kinds known and not. */
function randomSums(random: () => number): StackSums {
  const symbols = new SymbolTable();
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const text = (texts: readonly string[]) => symbols.strings.internText(pick(texts));
  const row = (width: number, columns: Record<number, number>) => {
    const tuple = new Uint32Array(width);
    for (const [column, value] of Object.entries(columns)) tuple[Number(column)] = value;
    return tuple;
  };
  const frameOf = () => {
    const func = symbols.functions.intern(
      row(FunctionColumn.width, {
        [FunctionColumn.name]: text(NAMES),
        [FunctionColumn.systemName]: text(NAMES),
        [FunctionColumn.filename]: text(FILES),
        [FunctionColumn.startLine]: Math.floor(random() * 3),
      }),
    );
    const mapping = symbols.mappings.intern(
      row(MappingColumn.width, {
        [MappingColumn.filename]: text(FILES),
        [MappingColumn.buildId]: text(['', 'b1']),
        [MappingColumn.startHigh]: Math.floor(random() * 2),
      }),
    );
    return symbols.frames.intern(
      row(FrameColumn.width, {
        [FrameColumn.func]: func,
        [FrameColumn.mapping]: mapping,
        [FrameColumn.line]: Math.floor(random() * 3),
        [FrameColumn.addressLow]: Math.floor(random() * 3),
        [FrameColumn.flags]: pick(Object.values(FrameKind)) << FRAME_KIND_SHIFT,
      }),
    );
  };
  for (let i = Math.floor(random() * 40); i > 0; i--)
    symbols.stacks.child(Math.floor(random() * symbols.stacks.count), frameOf());
  const values = Float64Array.from({ length: symbols.stacks.count }, () =>
    random() < 0.5 ? 0 : Math.floor(random() * 2 ** 40),
  );
  return { symbols, values };
}

const acrossABlock = ({ symbols, values }: StackSums): StackSums => ({
  symbols: decodeSymbols(encodeSymbols(symbols)),
  values,
});

/** All at once, and in groups whose sums are merged. */
function bothWays<Merger extends StackMerger>(random: () => number, newMerger: () => Merger) {
  const all = Array.from({ length: Math.floor(random() * 6) }, () => randomSums(random));
  const whole = newMerger();
  for (const sums of all) whole.addSums(sums);
  const groups = Array.from({ length: 1 + Math.floor(random() * 3) }, newMerger);
  for (const sums of all) groups[Math.floor(random() * groups.length)]!.addSums(sums);
  const merged = newMerger();
  for (const group of groups) merged.addSums(acrossABlock(group.sums()));
  return { whole, merged };
}

/** Per stack that has a value, all that is known of it. */
function contentOf({ symbols, values }: { symbols: Symbols; values: Float64Array }): string[] {
  const { strings, functions, mappings, frames, stacks } = symbols;
  const rowOf = ({ rows, width }: { rows: Uint32Array; width: number }, row: number) => [
    ...rows.subarray(row * width, (row + 1) * width),
  ];
  const texts = (row: number[], columns: readonly number[]) =>
    row.map((value, column) => (columns.includes(column) ? strings.text(value) : value));
  const frameOf = (frame: number) => {
    const row = rowOf(frames, frame);
    const func = texts(rowOf(functions, row[FrameColumn.func]!), [0, 1, 2]);
    const mapping = texts(rowOf(mappings, row[FrameColumn.mapping]!), [0, 1]);
    return JSON.stringify([func, mapping, row.slice(1, 3), row.slice(4)]);
  };
  const pathOf = (stack: number): string =>
    stack === 0 ? '' : `${pathOf(stacks.parents[stack]!)};${frameOf(stacks.frames[stack]!)}`;
  const lines: string[] = [];
  for (let stack = 0; stack < stacks.count; stack++)
    if (values[stack]! > 0) lines.push(`${pathOf(stack)} ${values[stack]}`);
  return lines.sort();
}

test(`sums of call trees are merged as their samples are, seed ${SEED}`, () =>
  property('merged trees', (random) => {
    const { whole, merged } = bothWays(random, () => new TreeMerger(3, 'bytes'));
    assert.deepEqual(merged.build(), whole.build());
  }));

test(`sums of profiles are merged as their samples are, seed ${SEED}`, () =>
  property('merged profiles', (random) => {
    const { whole, merged } = bothWays(random, () => new ProfileMerger(3));
    assert.deepEqual(contentOf(merged), contentOf(whole));
    // What has no value and leads to none is left behind.
    const { symbols, values } = whole.sums();
    assert.deepEqual(contentOf({ symbols, values }), contentOf(whole));
    const leads = new Set([...values.keys()].filter((stack) => values[stack]! > 0));
    for (const stack of leads) leads.add(symbols.stacks.parents[stack]!);
    assert.equal(leads.size, symbols.stacks.count - (leads.has(0) ? 0 : 1));
  }));
