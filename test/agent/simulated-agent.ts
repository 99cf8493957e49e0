import { BatchBuilder } from '../../agent/batch-builder.ts';
import { HubClock } from '../../agent/hub-clock.ts';
import { ProcessLabels } from '../../agent/naming/process-labels.ts';
import { Spool } from '../../agent/spool/spool.ts';
import type { RecordHeader } from '../../agent/spool/spool-record.ts';
import type { HttpAnswer } from '../../agent/upload/http-transport.ts';
import { Uploader } from '../../agent/upload/uploader.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { Crash, SimulatedFs } from './simulated-fs.ts';
import type { VirtualClock } from './virtual-clock.ts';
import type { MadeWindow } from './windows.ts';

/** Delivers one batch to a hub, or fails to. */
export type Deliver = (cluster: string, bytes: Uint8Array) => Promise<HttpAnswer>;

export interface SimulatedAgentOptions {
  readonly cluster: string;
  readonly random: () => number;
  readonly clock: VirtualClock;
  readonly deliver: Deliver;
  readonly bytesMax: number;
  /** Default: n. */
  readonly node?: string;
}

/**
 * The agent's own state machines, spool, batches and uploads, on a simulated file system, virtual time and a network in
 * the test's hand. It can crash inside any write, and starts again as a new process would.
 */
export class SimulatedAgent {
  fs: SimulatedFs;
  readonly hubClock: HubClock;
  readonly #options: SimulatedAgentOptions;
  #boots = 0;
  #nextUploadAt = 0;
  spool!: Spool;
  #builder!: BatchBuilder;
  #uploader!: Uploader;
  /** What it was told and has noted: samples taken by its engine, and lost by the kernel. */
  taken = 0;
  lost = 0;

  constructor(options: SimulatedAgentOptions) {
    this.#options = options;
    this.fs = new SimulatedFs(options.random);
    this.hubClock = new HubClock(options.clock);
    this.#boot();
  }

  /** The engine closed a window. @throws nothing: a crash restarts the agent */
  async takeWindow(window: MadeWindow): Promise<void> {
    const before = this.spool.gathered;
    await this.#survive(() => {
      for (const bytes of window.profiles) this.#builder.addProfiles(bytes);
      this.#builder.closeWindow(window.status);
    });
    // The window is noted whole or, when the agent died first, not at all.
    const noted = this.spool.gathered - before;
    if (noted !== 0 && noted !== window.status.taken)
      throw new Error(`${noted} of ${window.status.taken} samples are noted`);
    if (noted === 0) return;
    this.taken += window.status.taken;
    this.lost += window.status.lost;
  }

  async flush(): Promise<void> {
    await this.#survive(() => this.#builder.flush());
  }

  /** Sends the oldest batch, unless the uploader waits after a failure. */
  async upload(): Promise<void> {
    const { clock } = this.#options;
    if (clock.monotonic() < this.#nextUploadAt) return;
    await this.#survive(async () => {
      this.#nextUploadAt = clock.monotonic() + (await this.#uploader.step());
    });
  }

  /** Waits as long as the uploader wants to. */
  skipWait(): void {
    const { clock } = this.#options;
    clock.skip(Math.max(0, this.#nextUploadAt - clock.monotonic()));
  }

  /** Dies now, between two writes. */
  crash(): void {
    this.#restart();
  }

  /** The disk is gone, with all that was on it; the agent starts on an empty one. */
  destroyDisk(): void {
    this.fs = new SimulatedFs(this.#options.random);
    this.#boot();
  }

  /** What a heartbeat says, as it goes over the wire. */
  get heartbeatBody(): unknown {
    const { node = 'n' } = this.#options;
    const body = { node, bootId: this.#bootId, version: '1', engine: 'perf', spool: this.spool.account };
    return JSON.parse(JSON.stringify(body));
  }

  /** The batches on the disk, read from a second look at the same files. */
  spooledHeaders(): RecordHeader[] {
    const spool = this.#openSpool(this.fs.copy());
    const headers: RecordHeader[] = [];
    for (let batch = spool.peek(); batch !== undefined; batch = spool.peek()) {
      headers.push(batch.header);
      spool.acknowledge(batch.header.ordinal);
    }
    return headers;
  }

  get #bootId(): string {
    return `${this.#options.node ?? 'n'}-boot-${this.#boots}`;
  }

  #openSpool(fs: SimulatedFs): Spool {
    return new Spool({
      fs,
      folder: '/spool',
      bootId: this.#bootId,
      bytesMax: this.#options.bytesMax,
      ageMaxMs: 72 * 3_600_000,
      segmentBytes: 6_000,
      log: () => {},
    });
  }

  async #survive(act: () => void | Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.#restart();
    }
  }

  #restart(): void {
    if (this.#options.random() < 0.5) this.fs.losePower();
    else this.fs.restartProcess();
    this.#boot();
  }

  #boot(): void {
    const { cluster, random, clock, deliver } = this.#options;
    this.#boots++;
    const bootId = this.#bootId;
    const log = () => {};
    const node = { cluster, node: this.#options.node ?? 'n', engine: 'perf' };
    this.spool = this.#openSpool(this.fs);
    this.#builder = new BatchBuilder({
      origin: { ...node, bootId, agentVersion: '1' },
      labels: new ProcessLabels({
        node,
        containers: { find: () => undefined },
        now: () => 0,
        argumentsOf: () => [],
      }),
      drop: () => false,
      spool: this.spool,
      codec: zstdCodec,
      now: () => this.hubClock.now(),
      log,
      bytesTarget: 2_000,
    });
    const client = {
      refreshCredentials: () => false,
      post: (_route: string, _type: string, body: Uint8Array) => deliver(cluster, body),
    };
    this.#uploader = new Uploader({
      spool: this.spool,
      client,
      clock,
      hubClock: this.hubClock,
      random,
      log,
      jitterMs: 0,
    });
    this.#nextUploadAt = 0;
  }
}
