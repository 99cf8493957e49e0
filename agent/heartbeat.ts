import type { Clock } from './clock.ts';
import type { HubClock } from './hub-clock.ts';
import type { HubClient } from './upload/hub-client.ts';

/** How often an agent says that it lives. */
export const HEARTBEAT_MS = 15_000;

/** What a heartbeat says. `counters` are running totals since the boot, and levels such as bytes spooled. */
export interface HeartbeatBody {
  readonly node: string;
  readonly bootId: string;
  readonly version: string;
  readonly engine: string;
  /** The agent's clock minus the hub's, ms. */
  readonly clockSkewMs: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly lastError?: string;
}

export interface HeartbeatOptions {
  readonly client: Pick<HubClient, 'post'>;
  readonly clock: Clock;
  readonly hubClock: HubClock;
  readonly random: () => number;
  readonly body: () => HeartbeatBody;
}

/** Tells the hub every 15 s how the agent does, and takes the hub's time from the answer. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Works until the signal is aborted. Failures are silent here: the uploader meets the same ones and says so. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.beat(signal);
      // A tenth of jitter: agents that started together do not stay together.
      await this.#options.clock.sleep(HEARTBEAT_MS * (0.95 + 0.1 * this.#options.random()), signal);
    }
  }

  /** Sends one. @returns whether the hub took it */
  async beat(signal?: AbortSignal): Promise<boolean> {
    const { client, clock, hubClock, body } = this.#options;
    const bytes = new TextEncoder().encode(JSON.stringify(body()));
    const sentAt = clock.monotonic();
    try {
      const answer = await client.post('heartbeat', 'application/json', bytes, signal);
      if (answer.status !== 200) return false;
      const nowMs = timeIn(answer.body);
      if (nowMs !== undefined) hubClock.observe(nowMs, sentAt);
      return true;
    } catch {
      return false;
    }
  }
}

/** `{"nowMs": …}`: finer than the whole seconds of a Date header. */
function timeIn(body: string): number | undefined {
  try {
    const { nowMs } = JSON.parse(body) as { nowMs?: unknown };
    return typeof nowMs === 'number' && Number.isFinite(nowMs) && nowMs > 0 ? nowMs : undefined;
  } catch {
    return undefined;
  }
}
