/** What happens to one call of a port. */
export type Fault =
  /** It goes through. */
  | 'none'
  /** RetryableError, and no effect: the request was lost. */
  | 'fail-before'
  /** The effect, then RetryableError: the answer was lost, or the caller crashed. */
  | 'fail-after'
  /** Twice, and the second answer: the first one was lost and the call was repeated below. */
  | 'duplicate'
  /** Later: other calls may overtake it. */
  | 'delay';

/** Which call it is: the name of the method, and the number of calls of the port before it. */
export interface FaultyCall {
  method: string;
  ordinal: number;
}

export type FaultPlan = (call: FaultyCall) => Fault;

/** Share of calls, 0 to 1, that each fault hits; together at most 1. */
export type FaultRates = Partial<Record<Exclude<Fault, 'none'>, number>>;

/** A plan that decides by the seed and the order of calls alone: the same seed and calls, the same faults. */
export function seededFaults(seed: number, rates: FaultRates): FaultPlan {
  const random = seededRandom(seed);
  return () => {
    let left = random();
    for (const [fault, rate] of Object.entries(rates)) {
      if (left < rate) return fault as Fault;
      left -= rate;
    }
    return 'none';
  };
}

/**
 * Uniform numbers in [0, 1) by xorshift32 (Marsaglia, "Xorshift RNGs", 2003), the seed spread by a multiplication so
 * that neighbouring seeds differ at once.
 */
export function seededRandom(seed: number): () => number {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
