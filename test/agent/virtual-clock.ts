import type { Clock } from '../../agent/clock.ts';

/** A clock that moves only when a test says so; whoever sleeps is woken in order of time. */
export class VirtualClock implements Clock {
  #now = 0;
  /** Wall clock minus monotonic clock, ms: the node's clock may be wrong, and may jump. */
  wallOffset: number;
  #sleepers: { at: number; wake: () => void }[] = [];

  constructor(wallMs: number) {
    this.wallOffset = wallMs;
  }

  wall(): number {
    return this.#now + this.wallOffset;
  }

  monotonic(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleeper = { at: this.#now + Math.max(0, ms), wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        resolve();
      });
    });
  }

  /** Moves time on by `ms`, waking sleepers at their times and letting them work. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = this.#sleepers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.at);
      next.wake();
    }
    this.#now = end;
  }

  /** Moves time on without waking anybody: nobody sleeps in the test. */
  skip(ms: number): void {
    this.#now += ms;
  }
}

/** Lets everything that is ready run: promises, and the event loop a few times. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}
