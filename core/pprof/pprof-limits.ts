/**
 * What one pprof profile may hold. Counts are checked while they are counted, so memory follows what was really sent;
 * lengths that only make a profile ugly (depth, names, labels) are cut instead of refused.
 */
export interface PprofLimits {
  readonly sampleTypesMax: number;
  readonly samplesMax: number;
  readonly stringsMax: number;
  readonly functionsMax: number;
  readonly locationsMax: number;
  readonly mappingsMax: number;
  /** Frames per stack. Deeper ones keep the frames at the root and end in a "[truncated]" leaf. */
  readonly stackDepthMax: number;
  /** Distinct stack prefixes that one profile may add: bounds what repeated inlined locations can unfold to. */
  readonly stackNodesMax: number;
  /** Frames of all samples together, after locations with inlined calls are unfolded: bounds the time. */
  readonly framesMax: number;
  /** Bytes per name or path. Longer ones keep their tail, which tells more. */
  readonly stringBytesMax: number;
  /** Labels per sample; further ones are dropped. */
  readonly labelsPerSampleMax: number;
  /** A label whose name or value is longer is dropped. */
  readonly labelNameBytesMax: number;
  readonly labelValueBytesMax: number;
  /** Distinct label sets per profile; samples with further ones get the label overflow="true" instead of their own. */
  readonly seriesMax: number;
}

export const DEFAULT_PPROF_LIMITS: PprofLimits = {
  sampleTypesMax: 64,
  samplesMax: 1_000_000,
  stringsMax: 1_000_000,
  functionsMax: 1_000_000,
  locationsMax: 1_000_000,
  mappingsMax: 100_000,
  stackDepthMax: 1024,
  stackNodesMax: 4_000_000,
  framesMax: 50_000_000,
  stringBytesMax: 65_535,
  labelsPerSampleMax: 32,
  labelNameBytesMax: 1024,
  labelValueBytesMax: 2048,
  seriesMax: 1000,
};
