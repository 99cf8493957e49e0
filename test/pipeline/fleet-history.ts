import { BlockBuilder } from '../../core/block/block-builder.ts';
import type { Codec } from '../../core/block/codec.ts';
import type { CompactionRules } from '../../core/compaction/compaction-rules.ts';
import type { CallTree } from '../../core/flamegraph/call-tree.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { blockRowOf } from '../../pipeline/process-batches.ts';
import { selectTimeline, selectTree } from '../../pipeline/run-query.ts';
import { blockKey } from '../../storage/names.ts';
import { addRow, CPU, codec, type RowSpec } from '../core/block/fixtures.ts';

// Random windows of a small fleet over days, as level-0 blocks hold them, and what any question about them must answer.

export type WindowRow = Required<
  Pick<RowSpec, 'service' | 'pod' | 'start' | 'duration' | 'batch' | 'stacks'>
> & {
  samples: number;
};

const SERVICES = ['shop', 'cart'];
/** Of several shards of compaction. */
export const MANY_SERVICES = ['shop', 'cart', 'pay', 'search', 'mail', 'login'];
const PODS = ['p0', 'p1', 'p2'];
const PATHS = ['main', 'main;a', 'main;a;b', 'main;c', 'main;c;a', 'other;x'];

let sequence = 0;

/** A batch of windows that start in [from, until), or in the minute after that. */
export function randomBatch(
  random: () => number,
  from: number,
  until: number,
  services: readonly string[] = SERVICES,
): WindowRow[] {
  const batch = `c/n${Math.floor(random() * 3)}/b/${++sequence}`;
  const start = Math.floor((from + random() * (until - from)) / 10_000) * 10_000;
  const rows = new Map<string, WindowRow>();
  for (let i = Math.floor(random() * 6); i >= 0; i--) {
    const service = services[Math.floor(random() * services.length)]!;
    const pod = PODS[Math.floor(random() * PODS.length)]!;
    const at = start + Math.floor(random() * 6) * 10_000;
    const stacks: Record<string, number> = {};
    for (let k = Math.floor(random() * 4); k >= 0; k--)
      stacks[PATHS[Math.floor(random() * PATHS.length)]!] = (1 + Math.floor(random() * 50)) * 10_000_000;
    const samples = Object.values(stacks).reduce((sum, value) => sum + value / 10_000_000, 0);
    rows.set(`${service} ${pod} ${at}`, {
      service,
      pod,
      start: at,
      duration: 10_000,
      batch,
      stacks,
      samples,
    });
  }
  return [...rows.values()];
}

/** Rules that roll up pods from a random resolution on, or not at all. */
export function randomRollUp(random: () => number, rules: CompactionRules): CompactionRules {
  const from = [300, 3600, 3600, 86_400, Number.POSITIVE_INFINITY][Math.floor(random() * 5)]!;
  const resolutions = rules.resolutions.map((rule) =>
    rule.seconds < from ? { ...rule, rollUp: undefined } : { ...rule, rollUp: ['pod'] },
  );
  return { ...rules, resolutions };
}

/** A pod to ask for, mostly none. */
export function randomPod(random: () => number): Question['pod'] {
  if (random() < 0.6) return undefined;
  const value = ['p0', 'p1', 'p2', ''][Math.floor(random() * 4)]!;
  return { op: random() < 0.6 ? '=' : '!=', value };
}

/** Makes rows visible as one level-0 block, and answers its id. */
export async function publishRows(
  hub: Hub,
  rows: readonly WindowRow[],
  writtenWith: Codec = codec,
): Promise<string> {
  const block = new BlockBuilder();
  for (const row of rows) addRow(block, row);
  const blockId = `raw-${++sequence}`;
  const meta = { blockId, tenant: hub.tenant, level: 0, resolutionSeconds: 0 };
  const written = { ...block.write(meta, writtenWith), batchIds: block.batchIds };
  await hub.objects.put(blockKey(hub.tenant, 0, blockId), written.bytes);
  await hub.catalog.publish(blockRowOf(written, hub.clock()));
  return blockId;
}

export interface Question {
  readonly start: number;
  readonly end: number;
  /** Empty = all. */
  readonly service: string;
  readonly maxPoints: number;
  /** Absent = all of them. */
  readonly pod?: { readonly op: '=' | '!='; readonly value: string };
}

export interface Answer {
  /** Path of names → value. */
  readonly tree: Record<string, number>;
  readonly total: bigint;
  readonly samples: number;
  readonly points: unknown[];
  /** Whether both answers say that they are. */
  readonly complete: boolean;
}

export async function ask(hub: Hub, question: Question): Promise<Answer> {
  const selection = { ...question, profileType: CPU, selector: selectorOf(question) };
  const { tree, total, completeness } = await selectTree(hub, selection);
  const timeline = await selectTimeline(hub, selection);
  const complete = completeness.complete && timeline.completeness.complete;
  return { tree: foldedOf(tree), total, samples: completeness.samples, points: timeline.points, complete };
}

/** The series that a question is about. */
export function selectorOf({ service, pod }: Pick<Question, 'service' | 'pod'>): string {
  const ofService = service === '' ? [] : [`service_name="${service}"`];
  const ofPod = pod === undefined ? [] : [`pod${pod.op}"${pod.value}"`];
  return `{${[...ofService, ...ofPod].join(',')}}`;
}

/** Whether it is about a row, whatever its time. */
export function isAsked({ service, pod }: Pick<Question, 'service' | 'pod'>, row: WindowRow): boolean {
  if (service !== '' && row.service !== service) return false;
  return pod === undefined || (row.pod === pod.value) === (pod.op === '=');
}

function foldedOf(tree: CallTree): Record<string, number> {
  const paths: string[] = [''];
  const folded: Record<string, number> = {};
  for (let node = 1; node < tree.nameOf.length; node++) {
    const above = paths[tree.parent[node]!]!;
    paths[node] = (above === '' ? '' : `${above};`) + tree.names[tree.nameOf[node]!];
    if (tree.self[node]! > 0) folded[paths[node]!] = tree.self[node]! * tree.scale;
  }
  return folded;
}

/** What the answer is, computed from the windows one by one. Each is counted once, however often it was published. */
export function expected(rows: readonly WindowRow[], question: Question, stepMs: number): Answer {
  const tree: Record<string, number> = {};
  const points = new Map<number, { timeMs: number; [column: string]: number }>();
  let total = 0n;
  let samples = 0;
  for (const row of rows) {
    if (!isAsked(question, row) || row.start < question.start || row.start >= question.end) continue;
    let value = 0;
    for (const [path, self] of Object.entries(row.stacks)) {
      tree[path] = (tree[path] ?? 0) + self;
      value += self;
    }
    total += BigInt(value);
    samples += row.samples;
    const timeMs = Math.floor(row.start / stepMs) * stepMs;
    const point = points.get(timeMs) ?? {
      timeMs,
      value: 0,
      samples: 0,
      windows: 0,
      least: value,
      most: value,
    };
    point.value! += value;
    point.samples! += row.samples;
    point.windows!++;
    point.least = Math.min(point.least!, value);
    point.most = Math.max(point.most!, value);
    points.set(timeMs, point);
  }
  const sorted = [...points.values()].sort((a, b) => a.timeMs - b.timeMs);
  return { tree, total, samples, points: sorted, complete: true };
}
