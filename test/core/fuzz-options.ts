/** Seed and runs for fast-check, which prints both on failure; CINDERBLOCK_SEED and CINDERBLOCK_RUNS override. */
export function fuzzOptions(usualRuns: number): { numRuns: number; seed?: number } {
  const { CINDERBLOCK_SEED, CINDERBLOCK_RUNS } = process.env;
  return {
    numRuns: Number(CINDERBLOCK_RUNS ?? usualRuns),
    ...(CINDERBLOCK_SEED === undefined ? {} : { seed: Number(CINDERBLOCK_SEED) | 0 }),
  };
}
