import { randomBytes } from 'node:crypto';
import { zstdCodec } from '../storage/zstd-codec.ts';
import type { AgentSettings } from './agent-settings.ts';
import { BatchBuilder } from './batch-builder.ts';
import { systemClock } from './clock.ts';
import { parseDropRules } from './drop-rules.ts';
import type { Engine, EngineEvents, EngineName, Log } from './engine/engine.ts';
import { SamplerProcess } from './engine/sampler-process.ts';
import { Heartbeat, type HeartbeatBody } from './heartbeat.ts';
import { HubClock, skewInWords } from './hub-clock.ts';
import { ContainerNames } from './naming/container-names.ts';
import { ProcessLabels } from './naming/process-labels.ts';
import { ownInspector, parentInspector } from './node/inspector-link.ts';
import { NodeProfiler } from './node/node-profiler.ts';
import { Spool } from './spool/spool.ts';
import { nodeFs } from './spool/spool-fs.ts';
import { loadAwsCredentials } from './upload/aws-credentials.ts';
import { type CredentialSource, fixedCredentials, TemporaryCredentials } from './upload/credentials.ts';
import { httpTransport } from './upload/http-transport.ts';
import { HubClient } from './upload/hub-client.ts';
import { Uploader } from './upload/uploader.ts';

/** The hub's time is waited for this long before sampling starts: windows are to lie on its clock from the first on. */
const FIRST_BEAT_MS = 2_000;
/** The sampler is started again when the clocks part by more than this. */
const OFFSET_TOLERANCE_MS = 3_000;
/** On the way out, what is spooled is sent for at most this long. The rest waits for the next start. */
const LAST_UPLOAD_MS = 4_000;
/** Windows of many nodes end at the same moment; uploads are spread over this part of the flush interval. */
const JITTER_SHARE = 0.1;
/** A heartbeat tells the last warning or error for this long. */
const ERROR_SHOWN_MS = 600_000;

export interface SupervisorOptions {
  readonly settings: AgentSettings;
  readonly version: string;
  readonly engine: EngineName;
  /** Needed by the perf engine. */
  readonly samplerBinary: string | undefined;
  readonly log: Log;
}

/** One agent: engine → batches → spool → hub. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #bootId = randomBytes(8).toString('hex');
  readonly #hubClock = new HubClock(systemClock);
  readonly #spool: Spool;
  readonly #builder: BatchBuilder;
  readonly #uploader: Uploader;
  readonly #heartbeat: Heartbeat;
  readonly #engine: Engine;
  readonly #ownServices = new Map<number, string>();
  readonly #labels: ProcessLabels;
  readonly #stopped = new AbortController();
  readonly #startedAt = systemClock.monotonic();
  #loops: Promise<unknown> = Promise.resolve();
  #flushedAt = systemClock.monotonic();
  #samplerOffsetMs = 0;
  #cpuBefore = { usage: process.cpuUsage(), at: systemClock.monotonic() };
  #lastError: { message: string; at: number } | undefined;

  /** @throws what the file system reports, when the spool cannot be opened */
  constructor(options: SupervisorOptions) {
    const { settings, version, engine } = options;
    this.#options = options;
    const log: Log = (level, message) => this.#log(level, message);
    const { cluster, node } = settings;
    const now = () => this.#hubClock.now();
    this.#spool = new Spool({
      fs: nodeFs,
      folder: `${settings.folder}/spool`,
      bootId: this.#bootId,
      bytesMax: settings.spoolBytesMax,
      ageMaxMs: settings.spoolAgeMaxMs,
      log,
    });
    this.#ownServices.set(process.pid, 'cinderblock-agent');
    if (settings.serverPid !== undefined) this.#ownServices.set(settings.serverPid, 'cinderblock-server');
    this.#labels = new ProcessLabels({
      node: { cluster, node, engine },
      containers: new ContainerNames({ now: systemClock.monotonic }),
      ownServices: this.#ownServices,
      now: systemClock.monotonic,
    });
    this.#builder = new BatchBuilder({
      origin: { cluster, node, bootId: this.#bootId, agentVersion: version, engine },
      labels: this.#labels,
      drop: parseDropRules(settings.drop),
      spool: this.#spool,
      codec: zstdCodec,
      now,
      log,
      seriesMax: settings.seriesMax,
    });
    const client = hubClient(settings, this.#hubClock, log);
    const shared = { client, clock: systemClock, hubClock: this.#hubClock, random: Math.random };
    const jitterMs = settings.flushSeconds * 1000 * JITTER_SHARE;
    this.#uploader = new Uploader({ ...shared, spool: this.#spool, log, jitterMs });
    this.#heartbeat = new Heartbeat({ ...shared, body: () => this.#body() });
    this.#engine = this.#createEngine(log);
  }

  /** Starts sampling and sending; resolves once both go on. */
  async start(): Promise<void> {
    await this.#heartbeat.beat(AbortSignal.timeout(FIRST_BEAT_MS));
    this.#sayWhatWasFound();
    this.#samplerOffsetMs = this.#hubClock.offsetMs;
    this.#engine.start();
    const { signal } = this.#stopped;
    this.#loops = Promise.all([this.#uploader.run(signal), this.#heartbeat.run(signal)]);
  }

  /** Takes the last window, spools it, sends what can be sent in a few seconds, and lets go. */
  async stop(): Promise<void> {
    await this.#engine.stop();
    this.#builder.flush();
    this.#stopped.abort();
    await this.#loops;
    const deadline = AbortSignal.timeout(LAST_UPLOAD_MS);
    while (this.#spool.batches > 0 && !deadline.aborted && (await this.#uploader.step(deadline)) === 0) {}
    await this.#heartbeat.beat(AbortSignal.any([deadline, AbortSignal.timeout(1_000)]));
    const { batches } = this.#spool;
    if (batches > 0) this.#log('info', `${batches} batches wait on disk for the next start`);
    this.#spool.close();
  }

  #createEngine(log: Log): Engine {
    const { settings, engine, samplerBinary } = this.#options;
    const events: EngineEvents = {
      profiles: (bytes) => this.#builder.addProfiles(bytes),
      windowClosed: (status) => this.#onWindow(status),
      started: (pid) => {
        if (pid !== process.pid) this.#ownServices.set(pid, 'cinderblock-sampler');
      },
    };
    const shared = { ...settings, clock: systemClock, log };
    if (engine === 'perf') {
      const clockOffsetMs = () => {
        this.#samplerOffsetMs = this.#hubClock.offsetMs;
        return this.#samplerOffsetMs;
      };
      const binary = samplerBinary!;
      return new SamplerProcess({ ...shared, binary, clockOffsetMs, random: Math.random }, events);
    }
    const links = [parentInspector(), ownInspector()].filter((link) => link !== undefined);
    return new NodeProfiler({ ...shared, links, now: () => this.#hubClock.now() }, events);
  }

  #onWindow(status: Parameters<EngineEvents['windowClosed']>[0]): void {
    this.#builder.closeWindow(status);
    const now = systemClock.monotonic();
    // A window that ends a moment early is not to make the flush wait for the next one.
    const dueMs = (this.#options.settings.flushSeconds - this.#options.settings.windowSeconds / 2) * 1000;
    if (now - this.#flushedAt >= dueMs) {
      this.#flushedAt = now;
      this.#builder.flush();
      this.#uploader.notify();
      this.#labels.forgetUnused();
    }
    this.#followHubClock();
  }

  /** The sampler learns the clock's offset when it starts. */
  #followHubClock(): void {
    if (Math.abs(this.#hubClock.offsetMs - this.#samplerOffsetMs) <= OFFSET_TOLERANCE_MS) return;
    if (!(this.#engine instanceof SamplerProcess)) return;
    this.#log(
      'info',
      `the clock of this node is ${skewInWords(this.#hubClock.skewMs)}; windows follow the hub's`,
    );
    this.#engine.restart();
  }

  #sayWhatWasFound(): void {
    const { batches, recovered } = this.#spool;
    if (batches > 0) this.#log('info', `${batches} batches from before wait on disk and are sent now`);
    if (recovered.samples > 0) {
      this.#log(
        'warn',
        `${recovered.samples} samples were lost when the agent ended last time; they are counted as dropped`,
      );
    }
  }

  #body(): HeartbeatBody {
    const { settings, version, engine } = this.#options;
    return {
      node: settings.node,
      bootId: this.#bootId,
      version,
      engine,
      clockSkewMs: this.#hubClock.skewMs,
      counters: withoutZeros(this.#counters()),
      spool: this.#spool.account,
      lastError: this.#uploader.lastError ?? this.#recentError(),
    };
  }

  #counters(): Record<string, number> {
    const { taken, kept, lost, dropped, droppedByRules, overflowed } = this.#builder.counters;
    const { space, age, refused, damaged } = this.#spool.dropped;
    const { condition, crashes } = this.#engine;
    const supervisorRss = process.memoryUsage.rss();
    return {
      samplesTaken: taken,
      samplesKept: kept,
      samplesLost: lost,
      samplesDropped: dropped + space.samples + age.samples + refused.samples + damaged.samples,
      samplesDroppedByRules: droppedByRules,
      samplesOverflowed: overflowed,
      samplesRooted: condition.rooted,
      samplesTruncated: condition.truncated,
      samplesUnattributed: condition.unattributed,
      samplesThrottled: condition.throttled,
      spooledBatches: this.#spool.batches,
      spooledBytes: this.#spool.waitingBytes,
      spoolDiskBytes: this.#spool.bytes,
      droppedBatches: space.batches + age.batches + refused.batches + damaged.batches,
      refusedBatches: refused.batches,
      damagedBatches: damaged.batches,
      ...this.#uploader.counters,
      rssBytes: supervisorRss + condition.rssBytes,
      supervisorRssBytes: supervisorRss,
      samplerRssBytes: condition.rssBytes,
      cpuPercent: this.#cpuPercent() + condition.cpuPercent,
      samplerCpuPercent: condition.cpuPercent,
      samplerCrashes: crashes,
      pendingSymbols: condition.pendingSymbols,
      uptimeSeconds: Math.round((systemClock.monotonic() - this.#startedAt) / 1000),
    };
  }

  /** CPU of the supervisor since the last time this was asked, percent of one core. */
  #cpuPercent(): number {
    const { usage, at } = this.#cpuBefore;
    const used = process.cpuUsage(usage);
    const now = systemClock.monotonic();
    this.#cpuBefore = { usage: process.cpuUsage(), at: now };
    return ((used.user + used.system) / 1000 / Math.max(1, now - at)) * 100;
  }

  #recentError(): string | undefined {
    const isRecent =
      this.#lastError !== undefined && systemClock.monotonic() - this.#lastError.at < ERROR_SHOWN_MS;
    return isRecent ? this.#lastError?.message : undefined;
  }

  #log(level: 'info' | 'warn' | 'error', message: string): void {
    if (level !== 'info') this.#lastError = { message, at: systemClock.monotonic() };
    this.#options.log(level, message);
  }
}

/** On AWS a heartbeat is written for what each KB of it costs: two digits are enough, and 0 goes without saying. */
function withoutZeros(counters: Record<string, number>): Record<string, number> {
  const rounded = Object.entries(counters).map(
    ([name, value]) => [name, Math.round(value * 100) / 100] as const,
  );
  return Object.fromEntries(rounded.filter(([, value]) => value !== 0));
}

function hubClient(settings: AgentSettings, hubClock: HubClock, log: Log): HubClient {
  const { region, hubUrl, cluster } = settings;
  const credentials = credentialSource(settings, { now: () => hubClock.now(), log });
  const transport = httpTransport();
  return new HubClient({ hubUrl, cluster, credentials, region, transport, clock: systemClock, hubClock });
}

/** A key pair signs as it is, unless it is to assume a role. */
function credentialSource(
  settings: AgentSettings,
  options: { now: () => number; log: Log },
): CredentialSource {
  const { keyPair, roleArn, node } = settings;
  if (keyPair !== undefined && roleArn === undefined) return fixedCredentials(keyPair);
  const load = () => loadAwsCredentials({ ...settings, sessionName: node });
  return new TemporaryCredentials({ ...options, load });
}
