import type { SpoolAccount } from '../core/batch/spool-account.ts';
import type { Clock } from './clock.ts';
import type { HubClock } from './hub-clock.ts';
import type { HubClient } from './upload/hub-client.ts';

/** How often an agent says that it lives, until the hub says how often it wants to hear that. */
const FIRST_HEARTBEAT_MS = 15_000;

/** What a hub may ask for, ms. */
const HEARTBEAT_MS = { least: 1000, most: 3_600_000 };

/** What a heartbeat says. `counters` are running totals since the boot, and levels such as bytes spooled; those at 0 are left out. */
export interface HeartbeatBody {
  readonly node: string;
  readonly bootId: string;
  readonly version: string;
  readonly engine: string;
  /** The agent's clock minus the hub's, ms. */
  readonly clockSkewMs: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly spool: SpoolAccount;
  readonly lastError?: string;
}

export interface HeartbeatOptions {
  readonly client: Pick<HubClient, 'post'>;
  readonly clock: Clock;
  readonly hubClock: HubClock;
  readonly random: () => number;
  readonly body: () => HeartbeatBody;
}

/** Tells the hub again and again how the agent does, as often as the hub asks, and takes the hub's time from the answer. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #everyMs = FIRST_HEARTBEAT_MS;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Works until the signal is aborted. Failures are silent here: the uploader meets the same ones and says so. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.beat(signal);
      // A tenth of jitter: agents that started together do not stay together.
      await this.#options.clock.sleep(this.#everyMs * (0.95 + 0.1 * this.#options.random()), signal);
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
      const { nowMs, heartbeatMs } = readHeartbeatAnswer(answer.body);
      if (nowMs !== undefined) hubClock.observe(nowMs, sentAt);
      if (heartbeatMs !== undefined) this.#everyMs = heartbeatMs;
      return true;
    } catch {
      return false;
    }
  }
}

/** `{"nowMs": …, "settings": {"heartbeatMs": …}}`: the time is finer than the whole seconds of a Date header. */
function readHeartbeatAnswer(body: string): { nowMs?: number; heartbeatMs?: number } {
  try {
    const { nowMs, settings } = JSON.parse(body) as { nowMs?: unknown; settings?: { heartbeatMs?: unknown } };
    return {
      nowMs: within(nowMs, 1, Number.MAX_SAFE_INTEGER),
      heartbeatMs: within(settings?.heartbeatMs, HEARTBEAT_MS.least, HEARTBEAT_MS.most),
    };
  } catch {
    return {};
  }
}

function within(value: unknown, least: number, most: number): number | undefined {
  return typeof value === 'number' && value >= least && value <= most ? value : undefined;
}
