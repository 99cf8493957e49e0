import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError, type RejectionReason } from '../../core/errors.ts';

/** A fresh, empty adapter under test. */
export interface Adapter<Port> {
  port: Port;
  /** A second client of the same data, as another process would hold it. */
  another(): Promise<Port>;
  close(): Promise<void>;
}

/** Makes a fresh adapter on the given clock. */
export interface MakeAdapter<Port, Options = undefined> {
  (clock: TestClock, options: Options): Promise<Adapter<Port>>;
  /** For servers with a time of their own: a clock that waits instead. */
  newClock?: () => TestClock;
  /** Runs a scenario of this name; by default it just runs. Where a server is known to fall short, that is told here. */
  around?: (name: string, play: () => Promise<void>) => Promise<void>;
}

/** A clock that moves only when it is told to. */
export class TestClock {
  now = Date.UTC(2026, 0, 1);
  readonly read = () => this.now;
  advance(ms: number): void | Promise<void> {
    this.now += ms;
  }
  /** Moves to the last moment at which `ms` have not passed yet; `rest` moves on to when they have. */
  almost(ms: number): void | Promise<void> {
    this.now += ms - 1;
  }
  rest(_ms: number): void | Promise<void> {
    this.now += 1;
  }
}

export interface Scene<Port> extends Adapter<Port> {
  clock: TestClock;
}

/** Declares a test that runs on a fresh adapter, and closes it whatever happens. */
export function scenario<Port, Options>(
  name: string,
  make: MakeAdapter<Port, Options>,
  options: Options,
  play: (scene: Scene<Port>) => Promise<void>,
): void {
  test(name, async () => {
    const run = async () => {
      const clock = make.newClock?.() ?? new TestClock();
      const adapter = await make(clock, options);
      try {
        await play({ ...adapter, clock });
      } finally {
        await adapter.close();
      }
    };
    await (make.around ? make.around(name, run) : run());
  });
}

/** That the call is refused for this reason, and not by a crash of another kind. */
export async function assertRejected(call: Promise<unknown>, reason: RejectionReason): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof RejectedError, `expected RejectedError, got ${error}`);
    assert.equal(error.reason, reason);
    return true;
  });
}
