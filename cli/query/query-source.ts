import type { CallTree } from '../../core/flamegraph/call-tree.ts';
import type { Labels } from '../../core/labels/labels.ts';
import type { Completeness } from '../../core/query/completeness.ts';

/** A profile type id, a label selector and [start, end) in ms since epoch. */
export interface Selection {
  readonly profileType: string;
  readonly selector: string;
  readonly start: number;
  readonly end: number;
}

export interface Line {
  readonly labels: Labels;
  /** `timeMs` is the start of a step; steps without data are left out. */
  readonly points: readonly { readonly timeMs: number; readonly value: number }[];
}

export interface ServiceEntry {
  readonly name: string;
  readonly profileTypes: readonly string[];
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly clusters: readonly string[];
}

/** Label names, or the values of one label, among the series that match. */
export interface LabelRequest {
  readonly name: string | undefined;
  readonly selector: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Where answers come from: a running server, or a data folder opened here. Both give the same answers, as both run the
 * same use cases.
 */
export interface QuerySource {
  tree(selection: Selection): Promise<{ tree: CallTree; total: bigint; completeness: Completeness }>;
  /** A pprof profile, gzipped. */
  pprof(selection: Selection): Promise<{ bytes: Uint8Array; completeness: Completeness }>;
  /** Values per step over all series; `points` asks for about so many steps. */
  timeline(
    selection: Selection,
    points: number,
  ): Promise<{ stepMs: number; line: Line; completeness: Completeness }>;
  /** Values per step and combination of `groupBy` labels; start and end are multiples of `stepMs`. */
  groupedSeries(
    selection: Selection,
    stepMs: number,
    groupBy: readonly string[],
  ): Promise<{ lines: Line[]; completeness: Completeness }>;
  /** `completeness` is absent where the list needed no block. */
  labels(request: LabelRequest): Promise<{ names: string[]; completeness: Completeness | undefined }>;
  services(range: { start: number; end: number }): Promise<ServiceEntry[]>;
  close(): Promise<void>;
}

/**
 * The range that makes `SelectSeries` sum the windows that start in [start + i·step, start + (i+1)·step): its point at t
 * sums those that start in (t − step, t], in whole milliseconds. `timeOf` turns such a t into the start of its step.
 */
export function rightEdges(
  { start, end }: { readonly start: number; readonly end: number },
  stepMs: number,
): { start: number; end: number; timeOf: (t: number) => number } {
  return { start: start + stepMs - 1, end: end - 1, timeOf: (t) => t - stepMs + 1 };
}
