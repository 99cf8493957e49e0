/** Uniform in [0, 1), the same sequence for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** A whole number in [from, to). */
export function wholeBetween(random: () => number, from: number, to: number): number {
  return from + Math.floor(random() * (to - from));
}

/** First seed and number of runs of a fuzzer; CINDERBLOCK_SEED and CINDERBLOCK_RUNS override. */
export function fuzzRuns(runs: number): { seed: number; runs: number } {
  const { CINDERBLOCK_SEED, CINDERBLOCK_RUNS } = process.env;
  return {
    seed: CINDERBLOCK_SEED === undefined ? 1 : Number(CINDERBLOCK_SEED),
    runs: CINDERBLOCK_RUNS === undefined ? runs : Number(CINDERBLOCK_RUNS),
  };
}
