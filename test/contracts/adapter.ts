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
export type MakeAdapter<Port, Options = undefined> = (
  clock: TestClock,
  options: Options,
) => Promise<Adapter<Port>>;

/** A clock that moves only when it is told to. */
export class TestClock {
  now = Date.UTC(2026, 0, 1);
  readonly read = () => this.now;
  advance(ms: number): void {
    this.now += ms;
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
    const clock = new TestClock();
    const adapter = await make(clock, options);
    try {
      await play({ ...adapter, clock });
    } finally {
      await adapter.close();
    }
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
