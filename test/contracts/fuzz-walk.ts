import assert from 'node:assert/strict';
import { seededRandom } from '../../storage/faults/fault-plan.ts';
import { fuzzRuns, fuzzSeed } from '../storage/fuzz-seed.ts';

/** Random choices of one walk. */
export interface Chance {
  /** An integer from 0 to n - 1. */
  below(n: number): number;
  pick<T>(choices: readonly T[]): T;
  /** Each item with this probability. */
  some<T>(items: readonly T[], probability: number): T[];
}

export function seededChance(seed: number): Chance {
  const random = seededRandom(seed);
  const below = (n: number) => Math.floor(random() * n);
  return {
    below,
    pick: (choices) => choices[below(choices.length)],
    some: (items, probability) => items.filter(() => random() < probability),
  };
}

/** One step of a walk; what it answers is the line of the log that describes it. */
export type Step = () => Promise<string>;

/**
 * Takes many random walks of `length` steps, each through what `start` sets up for its own seed. A failure prints the seed
 * with which CINDERBLOCK_SEED repeats it as the first walk, and the steps that led there.
 */
export async function fuzzWalks(
  walks: number,
  length: number,
  start: (chance: Chance) => Promise<{ steps: Step[]; close(): Promise<void> }>,
): Promise<void> {
  const firstSeed = fuzzSeed();
  for (let seed = firstSeed; seed < firstSeed + fuzzRuns(walks); seed++) {
    const chance = seededChance(seed);
    const { steps, close } = await start(chance);
    const log: string[] = [];
    try {
      for (let i = 0; i < length; i++) log.push(await chance.pick(steps)());
    } catch (error) {
      assert.fail(
        `CINDERBLOCK_SEED=${seed}\n${log.slice(-40).join('\n')}\n${error instanceof Error ? error.stack : error}`,
      );
    } finally {
      await close();
    }
  }
}
