/**
 * A call tree in columns: one row per node, in preorder (a node, then its whole first child subtree, then the next
 * child). Row 0 is the root, named "total". Paint, search, hit test and every transform are loops over these columns;
 * a subtree is the row range [i, end[i]), so skipping it is one assignment.
 *
 * Values are non-negative whole numbers in units of `scale`: real value = column value × scale, in `unit`.
 */
export interface CallTree {
  /** Distinct names; names[0] is "total". Two functions that print alike share one name. */
  readonly names: readonly string[];
  /** Per name: what kind of code it is (a FrameKind). */
  readonly kinds: Uint8Array;
  /** Per name: index into `modules` of the binary or file it came from; 0 is "". */
  readonly moduleOf: Uint32Array;
  readonly modules: readonly string[];
  /** Per node: index into `names`. */
  readonly nameOf: Uint32Array;
  /** Per node: depth; the root is 0. */
  readonly level: Uint32Array;
  /** Per node: row of the parent; the root's is 0. */
  readonly parent: Uint32Array;
  /** Per node: one past the last row of its subtree. */
  readonly end: Uint32Array;
  /** Per node: value of the samples that end here. */
  readonly self: Float64Array;
  /** Per node: value of the samples that pass through or end here. */
  readonly total: Float64Array;
  /** Multiplier from column values to `unit`. */
  readonly scale: number;
  /** "nanoseconds", "bytes", "count", … */
  readonly unit: string;
}

/** What kind of code a frame runs. The numbers are part of the tree wire format. */
export const FrameKind = {
  unknown: 0,
  native: 1,
  kernel: 2,
  jit: 3,
  interpreted: 4,
  runtime: 5,
  marker: 6,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** Name of the root of every call tree. */
export const ROOT_NAME = 'total';
