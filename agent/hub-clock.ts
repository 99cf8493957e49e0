import type { Clock } from './clock.ts';

/** Below this, a difference between the clocks is taken for rounding and travel time: a Date header has whole seconds. */
const NOISE_MS = 1_500;

/**
 * The hub's clock, as well as it is known here. Starts as the node's wall clock; every answer of the hub corrects it.
 * Between answers it follows the monotonic clock, so that a jump of the node's clock moves nothing.
 */
export class HubClock {
  readonly #clock: Clock;
  /** Hub time = monotonic + this. */
  #origin: number;
  #isConfirmed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#origin = clock.wall() - clock.monotonic();
  }

  /** Now, ms since epoch on the hub's clock. */
  now(): number {
    return this.#clock.monotonic() + this.#origin;
  }

  /** Whether the hub ever said what time it is. */
  get isConfirmed(): boolean {
    return this.#isConfirmed;
  }

  /** What to add to the node's wall clock now to get the hub's time, ms. */
  get offsetMs(): number {
    return Math.round(this.now() - this.#clock.wall());
  }

  /** The node's clock minus the hub's, ms: positive when the node is ahead. */
  get skewMs(): number {
    const { offsetMs } = this;
    return offsetMs === 0 ? 0 : -offsetMs;
  }

  /**
   * Notes what the hub said its time was.
   * @param hubMs its answer's time, ms since epoch
   * @param sentAt when the question was sent, on the monotonic clock; the answer is taken to be from the middle
   */
  observe(hubMs: number, sentAt: number): void {
    const middle = (sentAt + this.#clock.monotonic()) / 2;
    const origin = hubMs - middle;
    if (!this.#isConfirmed || Math.abs(origin - this.#origin) > NOISE_MS) {
      // The wall clock is as good as the hub's when both agree within the noise.
      const byWall = this.#clock.wall() - this.#clock.monotonic();
      this.#origin = Math.abs(origin - byWall) <= NOISE_MS ? byWall : origin;
    }
    this.#isConfirmed = true;
  }
}

/** A clock difference in words, such as "3 minutes ahead of the hub". */
export function skewInWords(skewMs: number): string {
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  if (seconds === 0) return 'in step with the hub';
  const units: [number, string][] = [
    [86_400, 'day'],
    [3_600, 'hour'],
    [60, 'minute'],
    [1, 'second'],
  ];
  const [size, name] = units.find(([size]) => seconds >= 2 * size) ?? [1, 'second'];
  const count = Math.round(seconds / size);
  return `${count} ${name}${count === 1 ? '' : 's'} ${skewMs > 0 ? 'ahead of' : 'behind'} the hub`;
}
