import { BlockBuilder } from '../../../core/block/block-builder.ts';
import { BlockReader, bytesSource } from '../../../core/block/block-reader.ts';
import type { Dataset, DatasetBuilder } from '../../../core/profile/dataset-builder.ts';
import { FrameColumn, FunctionColumn, type Symbols } from '../../../core/profile/symbol-table.ts';
import { zstdCodec } from '../../../storage/zstd-codec.ts';

export const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
export const codec = zstdCodec;

/** Small, seeded, the same on every machine (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Seed of a property test: printed by its failure, given by CINDERBLOCK_SEED to repeat it. */
export const SEED = Number(process.env.CINDERBLOCK_SEED ?? Math.floor(Math.random() * 2 ** 31));
export const RUNS = Number(process.env.CINDERBLOCK_RUNS ?? 60);

/** Runs a property `RUNS` times with seeds of its own; the message of a failure names the seed. */
export async function property(
  name: string,
  run: (random: () => number) => void | Promise<void>,
): Promise<void> {
  for (let i = 0; i < RUNS; i++) {
    const seed = SEED + i;
    try {
      await run(randomFrom(seed));
    } catch (error) {
      throw new Error(`${name} fails; repeat with CINDERBLOCK_SEED=${seed} CINDERBLOCK_RUNS=1`, {
        cause: error,
      });
    }
  }
}

/** The stack with these function names, root first. */
export function stackOf(dataset: DatasetBuilder, names: readonly string[]): number {
  let stack = 0;
  for (const name of names) {
    const func = new Uint32Array(FunctionColumn.width);
    func[FunctionColumn.name] = dataset.symbols.strings.internText(name);
    const frame = new Uint32Array(FrameColumn.width);
    frame[FrameColumn.func] = dataset.symbols.functions.intern(func);
    stack = dataset.symbols.stacks.child(stack, dataset.symbols.frames.intern(frame));
  }
  return stack;
}

export interface RowSpec {
  cluster?: string;
  service?: string;
  type?: string;
  pod?: string;
  start?: number;
  duration?: number;
  batch?: string;
  samples?: number;
  /** "a;b;c" → value */
  stacks: Record<string, number>;
}

/** Adds one row described in words. */
export function addRow(block: BlockBuilder, spec: RowSpec): void {
  const service = spec.service ?? 'shop';
  const dataset = block.dataset(service);
  const entries = Object.entries(spec.stacks).map(
    ([path, value]) => [stackOf(dataset, path.split(';')), value] as const,
  );
  dataset.entries.begin(dataset.symbols.stacks.count);
  for (const [stack, value] of entries) dataset.entries.add(stack, value);
  dataset.addAccumulated(spec.type ?? CPU, {
    series: dataset.series.intern([
      ['cluster', spec.cluster ?? 'c'],
      ['pod', spec.pod ?? 'pod-0'],
      ['service_name', service],
    ]),
    start: spec.start ?? 1_700_000_000_000,
    duration: spec.duration ?? 10_000,
    batch: block.batch(spec.batch ?? 'c/n/b/1'),
    samples: spec.samples ?? entries.length,
  });
}

export function blockOf(rows: readonly RowSpec[], blockId = 'block'): Uint8Array {
  const block = new BlockBuilder();
  for (const row of rows) addRow(block, row);
  return block.write({ blockId, tenant: 't', level: 0, resolutionSeconds: 0 }, codec).bytes;
}

export function open(bytes: Uint8Array): Promise<BlockReader> {
  return BlockReader.open(bytesSource(bytes), codec);
}

const FUNCTIONS = ['main', 'serve', 'parse', 'render', 'sort', 'read', 'λ', 'x'.repeat(200), '', 'other'];

/** A random row: few services, pods, windows and batches, so that merges meet. */
export function randomRow(random: () => number, batch: string): RowSpec {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const stacks: Record<string, number> = {};
  for (let i = Math.floor(random() * 6); i >= 0; i--) {
    const path = Array.from({ length: 1 + Math.floor(random() * 6) }, () => pick(FUNCTIONS)).join(';');
    stacks[path] =
      pick([1, 2, 7, 52_631_578, 10_000_000, 2 ** 40, 2 ** 43 + 1]) * (1 + Math.floor(random() * 100));
  }
  return {
    batch,
    stacks,
    service: pick(['shop', 'cart', 'pay']),
    type: pick([CPU, 'memory:inuse_space:bytes:space:bytes']),
    pod: pick(['p0', 'p1']),
    start: 1_700_000_000_000 + Math.floor(random() * 6) * 10_000,
    samples: 1 + Math.floor(random() * 300),
  };
}

/** Everything a dataset says, in an order-independent text form: what two equal datasets agree on whatever their tables look like. */
export function contentOf(dataset: Dataset): string[] {
  const lines: string[] = [];
  for (const [type, rows] of dataset.types) {
    for (let row = 0; row < rows.count; row++) {
      const entries: string[] = [];
      for (let i = rows.entryStarts[row]!; i < rows.entryStarts[row + 1]!; i++) {
        entries.push(
          `${pathOf(dataset.symbols, rows.stacks[i]!)}=${BigInt(rows.values[i]!) * BigInt(rows.scale[row]!)}`,
        );
      }
      const labels = JSON.stringify(dataset.labelSets[rows.series[row]!]);
      lines.push(
        `${type} ${labels} ${rows.start[row]}+${rows.duration[row]} n=${rows.samples[row]} t=${BigInt(rows.total[row]!) * BigInt(rows.scale[row]!)} ${entries.sort().join(' ')}`,
      );
    }
  }
  return lines.sort();
}

function pathOf(symbols: Symbols, stack: number): string {
  const names: string[] = [];
  for (let node = stack; node !== 0; node = symbols.stacks.parents[node]!) {
    const frame = symbols.stacks.frames[node]!;
    const func = symbols.frames.rows[frame * FrameColumn.width + FrameColumn.func]!;
    names.unshift(
      symbols.strings.text(symbols.functions.rows[func * FunctionColumn.width + FunctionColumn.name]!),
    );
  }
  return JSON.stringify(names);
}

/** Content of all datasets of a block. */
export async function contentOfBlock(reader: BlockReader): Promise<string[]> {
  const lines: string[] = [];
  for (const entry of reader.directory.datasets) {
    for (const line of contentOf(await reader.dataset(entry))) lines.push(`${entry.service} ${line}`);
  }
  return lines.sort();
}
