import { type BatchOrigin, batchIdOf } from '../../core/batch/batch-origin.ts';
import { BlockBuilder } from '../../core/block/block-builder.ts';
import { CPU_PROFILE_TYPE } from '../../core/labels/profile-type.ts';
import { addRow, codec } from '../core/block/fixtures.ts';
import type { MadeBatch } from './expected-loss.ts';
import { DAY_MS, HOUR_MS, type SimulatedBatch, type Window } from './expected-sums.ts';

// Clusters of nodes with pods that come and go, services that are deployed anew, nodes that reboot and lose their network.
// Everything follows from the seed.

export const CPU = CPU_PROFILE_TYPE;
export const HEAP = 'memory:alloc_space:bytes:space:bytes';
/** Nanoseconds of one sample, and bytes: odd, so that sums have no common divisor by accident. */
const CPU_PERIOD = 10_000_000;
const HEAP_PERIOD = 524_288 * 4096 + 1;
const WINDOW_MS = 10_000;
const SERVICES = 50;
const REPLICAS = 5;
/** Share of pods that are replaced in a day, and of services that get a new version. */
const POD_CHURN = 0.06;
const DEPLOYS = 0.03;
const FUNCTIONS = 40;
/** Share of batches before which the kernel lost samples, and of those from which the agent left some out. */
const LOSSY = 0.05;

export interface FleetShape {
  /** Name → nodes. */
  readonly clusters: Readonly<Record<string, number>>;
  /** Times a day at which nodes sample, of them each node at one. */
  readonly slots: number;
}

export const FLEET_SHAPE: FleetShape = { clusters: { prod: 100, staging: 60, edge: 40 }, slots: 3 };

interface Pod {
  service: number;
  name: string;
}

/** A batch, and its bytes as its agent would send them. */
export interface SentBatch extends SimulatedBatch {
  readonly bytes: Uint8Array;
}

export class SimulatedNode {
  readonly cluster: string;
  readonly name: string;
  readonly pods: Pod[] = [];
  /** Oldest first. */
  readonly spool: SentBatch[] = [];
  /** Without network until then, ms. */
  offlineUntil = 0;
  boot = 1;
  sequence = 0;

  constructor(cluster: string, name: string) {
    this.cluster = cluster;
    this.name = name;
  }

  reboot(): void {
    this.boot++;
    this.sequence = 0;
  }
}

export class SimulatedFleet {
  readonly nodes: SimulatedNode[] = [];
  readonly clusters: readonly string[];
  readonly services = Array.from({ length: SERVICES }, (_, i) => `service-${String(i).padStart(2, '0')}`);
  /** Deployed version of each service. */
  readonly #versions = new Uint32Array(SERVICES);
  readonly #random: () => number;
  readonly #slots: number;
  readonly #onMade: (batch: MadeBatch) => void;
  readonly #retired = new Set<number>();
  #podCount = 0;

  /** @param onMade hears of every batch that goes to a spool */
  constructor(
    random: () => number,
    { clusters, slots }: FleetShape,
    onMade: (batch: MadeBatch) => void = () => {},
  ) {
    this.#random = random;
    this.#onMade = onMade;
    this.#slots = slots;
    this.clusters = Object.keys(clusters);
    for (const [cluster, count] of Object.entries(clusters))
      for (let i = 0; i < count; i++) this.nodes.push(new SimulatedNode(cluster, `${cluster}-${i}`));
    for (let i = 0; i < SERVICES * REPLICAS; i++) this.#schedule(i % SERVICES);
  }

  /** Hours of the day at which some nodes sample. */
  isSlot(hourOfDay: number): boolean {
    return hourOfDay % (24 / this.#slots) === 0;
  }

  /** Pods die and are started elsewhere, services get new versions, nodes reboot. */
  churn(): void {
    for (let i = 0; i < SERVICES; i++) if (this.#random() < DEPLOYS) this.#versions[i]!++;
    for (const node of this.nodes) {
      if (this.#random() < 0.01) node.reboot();
      for (let i = node.pods.length - 1; i >= 0; i--)
        if (this.#random() < POD_CHURN) this.#schedule(node.pods.splice(i, 1)[0]!.service);
    }
  }

  /** A service is shut down for good. */
  retire(service: string): void {
    const retired = this.services.indexOf(service);
    this.#retired.add(retired);
    for (const { pods } of this.nodes)
      for (let i = pods.length - 1; i >= 0; i--) if (pods[i]!.service === retired) pods.splice(i, 1);
  }

  /** A pod that runs now. */
  somePod(): { service: string; name: string } | undefined {
    const { pods } = this.nodes[Math.floor(this.#random() * this.nodes.length)]!;
    const pod = pods[Math.floor(this.#random() * pods.length)];
    return pod && { service: this.services[pod.service]!, name: pod.name };
  }

  /** What the nodes of this hour sampled in it goes to their spools. */
  sample(hourStart: number, batchesPerNode: number): void {
    const slot = Math.floor(((hourStart % DAY_MS) / DAY_MS) * this.#slots);
    for (const [i, node] of this.nodes.entries()) {
      const turn = (((slot - i) % this.#slots) + this.#slots) % this.#slots;
      if (turn < batchesPerNode && node.pods.length > 0) node.spool.push(this.#batch(node, hourStart));
    }
  }

  #schedule(service: number): void {
    if (this.#retired.has(service)) return;
    const node = this.nodes[Math.floor(this.#random() * this.nodes.length)]!;
    const name = `${this.services[service]}-${(++this.#podCount * 7919).toString(36)}`;
    node.pods.push({ service, name });
  }

  #batch(node: SimulatedNode, hourStart: number): SentBatch {
    // Up to the last window of the hour: some batches run over its end.
    const start = hourStart + Math.floor((this.#random() * HOUR_MS) / WINDOW_MS) * WINDOW_MS;
    const windows = node.pods.flatMap((pod) => this.#windows(pod, start));
    const first = windows.reduce((least, window) => Math.min(least, window.start), Number.POSITIVE_INFINITY);
    const kept = windows.reduce((sum, { samples }) => sum + samples, 0);
    const { cluster, name } = node;
    const identity = { cluster, node: name, bootId: `boot-${node.boot}`, sequence: ++node.sequence };
    const [lost, dropped] = [this.#lostSamples(), this.#lostSamples()];
    const counters = {
      taken: kept + dropped,
      lost,
      dropped,
      kept,
      droppedBatches: 0,
      droppedBatchSamples: 0,
    };
    const range = { firstWindow: first, lastWindow: start + 3 * WINDOW_MS };
    this.#onMade({ ...identity, ...counters, ...range });
    const origin = { ...identity, ...counters, ...range, agentVersion: 'simulated', engine: 'perf' };
    return { id: batchIdOf(origin), cluster, start: first, windows, bytes: bytesOf(origin, windows) };
  }

  #lostSamples(): number {
    return this.#random() < LOSSY ? 1 + Math.floor(this.#random() * 100) : 0;
  }

  #windows(pod: Pod, start: number): Window[] {
    const windows = [this.#window(pod, CPU, start)];
    if (this.#random() < 0.5) windows.push(this.#window(pod, CPU, start + WINDOW_MS));
    if (pod.service % 3 === 0) windows.push(this.#window(pod, HEAP, start + WINDOW_MS));
    return windows;
  }

  #window({ service, name }: Pod, type: string, start: number): Window {
    const stacks: Record<string, number> = {};
    let samples = 0;
    for (let i = 1 + Math.floor(this.#random() * 4); i > 0; i--) {
      const count = 1 + Math.floor(this.#random() * 30);
      const path = this.#path(service);
      stacks[path] = (stacks[path] ?? 0) + count * (type === CPU ? CPU_PERIOD : HEAP_PERIOD);
      samples += count;
    }
    return { service: this.services[service]!, type, pod: name, start, samples, stacks };
  }

  /** A call path of the deployed version: a few functions of the service over what all share. */
  #path(service: number): string {
    const version = this.#versions[service]!;
    const path = ['main', `serve_${service}`];
    for (let depth = Math.floor(this.#random() * 4); depth >= 0; depth--) {
      // A function changes its name with one version in eight.
      const index = Math.floor(this.#random() ** 2 * FUNCTIONS);
      path.push(`f${index}_${Math.floor((version + index) / 8)}`);
    }
    return path.join(';');
  }
}

function bytesOf(origin: BatchOrigin, windows: readonly Window[]): Uint8Array {
  const block = new BlockBuilder();
  const batch = batchIdOf(origin);
  for (const window of windows) addRow(block, { ...window, cluster: origin.cluster, batch });
  const meta = { blockId: batch.replaceAll('/', '_'), tenant: '', level: 0, resolutionSeconds: 0, origin };
  return block.write(meta, codec).bytes;
}
