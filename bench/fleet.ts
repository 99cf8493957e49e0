import { type BatchOrigin, batchIdOf } from '../core/batch/batch-origin.ts';
import { BlockBuilder } from '../core/block/block-builder.ts';
import type { WrittenBlock } from '../core/block/block-writer.ts';
import { type Labels, labelsOf } from '../core/labels/labels.ts';
import { CPU_PROFILE_TYPE } from '../core/labels/profile-type.ts';
import type { DatasetBuilder } from '../core/profile/dataset-builder.ts';
import { FrameColumn, FunctionColumn, MappingColumn } from '../core/profile/symbol-table.ts';
import { zstdCodec } from '../storage/zstd-codec.ts';

// A made-up fleet: pods of one service that spend their time as servers do. One call graph is walked at random until it
// has given the wanted number of distinct stacks; how often each is seen follows Zipf's law, each pod with its own
// preferences. The same seed gives the same bytes on every machine.

export interface FleetOptions {
  readonly seed?: number;
  readonly pods?: number;
  /** Distinct stacks of the service. */
  readonly stacks?: number;
  readonly windowMs?: number;
  /** Samples per window of one pod. */
  readonly samplesPerWindow?: number;
  readonly service?: string;
}

const PERIOD_NANOSECONDS = 50_000_000;
const MODULES = ['shop', 'libc.so.6', 'libssl.so.3', 'libpthread.so.0', '[kernel.kallsyms]'];
const PACKAGES = [
  'http',
  'json',
  'orders',
  'cart',
  'cache',
  'sql',
  'tls',
  'runtime',
  'trace',
  'grpc',
  'zlib',
  'auth',
];
const VERBS = [
  'handle',
  'parse',
  'encode',
  'lookup',
  'merge',
  'write',
  'read',
  'scan',
  'flush',
  'hash',
  'grow',
  'poll',
];
const NOUNS = [
  'Request',
  'Row',
  'Header',
  'Token',
  'Entry',
  'Buffer',
  'Frame',
  'Session',
  'Query',
  'Page',
  'Item',
];

/** Numbers in [0, 1): mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

export class Fleet {
  readonly service: string;
  readonly pods: number;
  readonly windowMs: number;
  readonly samplesPerWindow: number;
  readonly profileType = CPU_PROFILE_TYPE;
  /** Stacks as call paths of (function, line) pairs, root first. */
  readonly paths: readonly (readonly CallSite[])[];
  readonly #seed: number;
  readonly #random: () => number;
  /** Per pod: cumulative weight per stack. */
  readonly #popularity: Float64Array[];
  #sequence = 0;

  constructor(options: FleetOptions = {}) {
    this.#seed = options.seed ?? 1;
    this.service = options.service ?? 'shop';
    this.pods = options.pods ?? 20;
    this.windowMs = options.windowMs ?? 15_000;
    this.samplesPerWindow = options.samplesPerWindow ?? 300;
    this.#random = seededRandom(this.#seed);
    this.paths = walkCallGraph(this.#random, options.stacks ?? 3000);
    this.#popularity = Array.from({ length: this.pods }, () => popularity(this.#random, this.paths.length));
  }

  labels(pod: number): Labels {
    return labelsOf([
      ['cluster', 'bench'],
      ['service_name', this.service],
      ['namespace', 'shop'],
      ['node', `node-${pod % 10}`],
      ['pod', `${this.service}-7d9c6b5f4-${(pod * 7919 + 40_000).toString(36)}`],
      ['container', 'main'],
      ['engine', 'perf'],
    ]);
  }

  /** Adds one window of one pod; a stack is added with the first sample that has it, as an agent does. */
  addWindow(into: FleetDataset, batch: number, pod: number, startMs: number): void {
    const cumulative = this.#popularity[pod]!;
    const all = cumulative[cumulative.length - 1]!;
    const drawn = new Uint32Array(this.samplesPerWindow);
    for (let i = 0; i < drawn.length; i++)
      drawn[i] = into.stack(lowerBound(cumulative, this.#random() * all));
    const { dataset } = into;
    dataset.entries.begin(dataset.symbols.stacks.count);
    for (const stack of drawn) dataset.entries.add(stack, PERIOD_NANOSECONDS);
    dataset.addAccumulated(this.profileType, {
      series: dataset.series.intern(this.labels(pod)),
      start: startMs,
      duration: this.windowMs,
      batch,
      samples: this.samplesPerWindow,
    });
  }

  /** What the agent of one pod sends for [startMs, endMs). */
  batch(pod: number, startMs: number, endMs: number): WrittenBlock {
    const origin = this.#nextOrigin(pod, startMs, endMs);
    const builder = new BlockBuilder();
    this.#addWindows(builder, this.#datasetOf(builder), pod, origin);
    const meta = {
      blockId: batchIdOf(origin).replaceAll('/', '_'),
      tenant: '',
      level: 0,
      resolutionSeconds: 0,
      origin,
    };
    return builder.write(meta, zstdCodec);
  }

  /** What the processor makes of the batches of all pods for [startMs, endMs). */
  levelZero(
    blockId: string,
    tenant: string,
    startMs: number,
    endMs: number,
  ): WrittenBlock & { batchIds: string[] } {
    const builder = new BlockBuilder();
    const into = this.#datasetOf(builder);
    for (let pod = 0; pod < this.pods; pod++) {
      this.#addWindows(builder, into, pod, this.#nextOrigin(pod, startMs, endMs));
    }
    const written = builder.write({ blockId, tenant, level: 0, resolutionSeconds: 0 }, zstdCodec);
    return { ...written, batchIds: builder.batchIds };
  }

  #datasetOf(builder: BlockBuilder): FleetDataset {
    return new FleetDataset(builder.dataset(this.service), this.paths);
  }

  #addWindows(builder: BlockBuilder, into: FleetDataset, pod: number, origin: BatchOrigin): void {
    const batch = builder.batch(batchIdOf(origin));
    for (let start = origin.firstWindow; start < origin.lastWindow; start += this.windowMs) {
      this.addWindow(into, batch, pod, start);
    }
  }

  #nextOrigin(pod: number, startMs: number, endMs: number): BatchOrigin {
    const kept = Math.ceil((endMs - startMs) / this.windowMs) * this.samplesPerWindow;
    return {
      cluster: 'bench',
      node: `node-${pod}`,
      bootId: 'boot',
      sequence: ++this.#sequence,
      taken: kept,
      lost: 0,
      dropped: 0,
      kept,
      firstWindow: startMs,
      lastWindow: endMs,
      agentVersion: '0.1.0',
      engine: 'perf',
      droppedBatches: 0,
      droppedBatchSamples: 0,
    };
  }
}

/** A dataset with the stacks of a fleet that it has so far. */
export class FleetDataset {
  readonly dataset: DatasetBuilder;
  readonly #paths: readonly (readonly CallSite[])[];
  readonly #stackOf: Uint32Array;
  readonly #frameOf = new Map<CallSite, number>();

  constructor(dataset: DatasetBuilder, paths: readonly (readonly CallSite[])[]) {
    this.dataset = dataset;
    this.#paths = paths;
    this.#stackOf = new Uint32Array(paths.length);
  }

  /** The stack of path `index`. */
  stack(index: number): number {
    let stack = this.#stackOf[index]!;
    if (stack !== 0) return stack;
    for (const site of this.#paths[index]!)
      stack = this.dataset.symbols.stacks.child(stack, this.#frame(site));
    this.#stackOf[index] = stack;
    return stack;
  }

  #frame(site: CallSite): number {
    const known = this.#frameOf.get(site);
    if (known !== undefined) return known;
    const { symbols } = this.dataset;
    const mapping = new Uint32Array(MappingColumn.width);
    mapping[MappingColumn.filename] = symbols.strings.internText(`/usr/bin/${site.module}`);
    const func = new Uint32Array(FunctionColumn.width);
    func[FunctionColumn.name] = symbols.strings.internText(site.name);
    func[FunctionColumn.filename] = symbols.strings.internText(site.file);
    const frame = new Uint32Array(FrameColumn.width);
    frame[FrameColumn.func] = symbols.functions.intern(func);
    frame[FrameColumn.mapping] = symbols.mappings.intern(mapping);
    frame[FrameColumn.line] = site.line;
    const id = symbols.frames.intern(frame);
    this.#frameOf.set(site, id);
    return id;
  }
}

/** One line of one function; the same object wherever it is called from. */
export interface CallSite {
  readonly name: string;
  readonly module: string;
  readonly file: string;
  readonly line: number;
}

const FUNCTIONS = 900;
const ENTRIES = 12;
const DEPTH_MIN = 8;
const DEPTH_MAX = 48;
/** Chance per level that a stack ends there, once it is deep enough. */
const LEAF_CHANCE = 0.06;

/** Distinct paths through a random call graph in which functions call mostly a few others further down. */
function walkCallGraph(random: () => number, wanted: number): CallSite[][] {
  const graph = Array.from({ length: FUNCTIONS }, (_, index) => callSites(random, index));
  const paths = new Map<string, CallSite[]>();
  while (paths.size < wanted) {
    const path: CallSite[] = [];
    let at = Math.floor(random() * ENTRIES);
    let key = '';
    for (let depth = 0; depth < DEPTH_MAX && at < FUNCTIONS; depth++) {
      const calls = graph[at]!;
      const call = calls[Math.floor(random() ** 2 * calls.length)]!;
      path.push(call.site);
      key += `${at}:${call.site.line};`;
      if (depth >= DEPTH_MIN && random() < LEAF_CHANCE) break;
      at = call.callee;
    }
    paths.set(key, path);
  }
  return [...paths.values()];
}

function callSites(random: () => number, index: number): { site: CallSite; callee: number }[] {
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)]!;
  const pack = pick(PACKAGES);
  const name = `${pack}.(*${pick(NOUNS)}).${pick(VERBS)}${pick(NOUNS)}${index}`;
  const module = MODULES[index < ENTRIES ? 0 : Math.floor(random() ** 3 * MODULES.length)]!;
  const file = `/src/${module}/internal/${pack}/${pick(NOUNS).toLowerCase()}.go`;
  const calls = 1 + Math.floor(random() * 4);
  return Array.from({ length: calls }, () => ({
    site: { name, module, file, line: 20 + Math.floor(random() * 600) },
    callee: index + 1 + Math.floor(random() ** 2 * 60),
  }));
}

/** Cumulative weights after Zipf's law (exponent 1.05), each multiplied by a pod's own taste. */
function popularity(random: () => number, stacks: number): Float64Array {
  const cumulative = new Float64Array(stacks);
  let sum = 0;
  for (let rank = 0; rank < stacks; rank++) {
    sum += (0.5 + random()) / (rank + 2) ** 1.05;
    cumulative[rank] = sum;
  }
  return cumulative;
}

/** The first index whose cumulative weight passes `at`. */
function lowerBound(cumulative: Float64Array, at: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cumulative[middle]! > at) high = middle;
    else low = middle + 1;
  }
  return low;
}
