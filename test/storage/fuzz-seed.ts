/** The seed of a fuzz run: CINDERBLOCK_SEED, to repeat a failure, or a new one. A failure must print it. */
export function fuzzSeed(): number {
  const given = process.env.CINDERBLOCK_SEED;
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
}

/** How many runs a fuzzer makes: CINDERBLOCK_RUNS, or what it finds enough for every day. */
export function fuzzRuns(usual: number): number {
  return Number(process.env.CINDERBLOCK_RUNS ?? usual);
}
