/** Waits that grow with every failure, with jitter so that many agents do not come back at the same moment. */
export class Backoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  /** Failures in a row. */
  failures = 0;

  /** @param random in [0, 1) */
  constructor(options: { baseMs: number; maxMs: number; random: () => number }) {
    this.#baseMs = options.baseMs;
    this.#maxMs = options.maxMs;
    this.#random = options.random;
  }

  succeed(): void {
    this.failures = 0;
  }

  /** How long to wait after one more failure: base × 2^(n−1), at most max, of which the upper half is random. */
  fail(): number {
    this.failures++;
    const full = Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(this.failures - 1, 30));
    return full / 2 + (full / 2) * this.#random();
  }
}

/** Longest wait that a hub may ask for; beyond it, it is asked again. */
const RETRY_AFTER_MAX_MS = 15 * 60_000;

/**
 * What a Retry-After header asks for, in ms; 0 when there is none (RFC 9110 section 10.2.3).
 * @param nowMs on the hub's clock, as a date in the header is
 */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), RETRY_AFTER_MAX_MS) : 0;
}
