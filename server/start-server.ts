import { availableParallelism } from 'node:os';
import type { Hub, HubSettings } from '../pipeline/hub.ts';
import { openEmbeddedStorage } from '../storage/embedded/open-embedded-storage.ts';
import { startCompactionThread } from './compaction-thread.ts';
import { createHandler } from './handle-request.ts';
import { type HttpServer, listen } from './http-server.ts';
import { ensureLocalCluster, localAgentCredential, localNode } from './local-cluster.ts';
import { openHub } from './open-hub.ts';
import { startQueryThreads } from './query-threads.ts';
import { hasAgent, type RunningAgent, runAgent } from './run-agent.ts';
import { startScheduler } from './scheduler.ts';
import { serveWeb } from './serve-web.ts';
import { listenError, storageError } from './startup-error.ts';
import { createTelemetry, type ServerTelemetry } from './telemetry.ts';

export interface ServerOptions {
  dataFolder: string;
  /** Default 127.0.0.1. */
  host?: string;
  /** 0 for any free one. Default 4040. */
  port?: number;
  /** Path below which everything lives, such as `/profiles`. Default none. */
  pathPrefix?: string;
  /** Lets people and tools in, by Basic or Bearer. Without one the server is open to whoever reaches it. */
  token?: string;
  /** Answer to any host name although there is no token. Default: on loopback, only to names of this machine. */
  anyHostName?: boolean;
  /** Run this machine's agent beside the server. Default false. */
  agent?: boolean;
  /** Serve the web page, and build it where it is missing or old. Default false. */
  web?: boolean;
  settings?: Partial<HubSettings>;
  clock?: () => number;
  /** Takes the log, one line a call. Default: standard error. */
  log?: (line: string) => void;
  logLevel?: 'debug' | 'info' | 'warn' | 'error';
  /** What the agent says. */
  onAgentLine?: (line: string) => void;
}

export interface RunningServer {
  /** Without a slash at the end. */
  url: string;
  hub: Hub;
  telemetry: ServerTelemetry;
  /** Resolves once the page can be served, or with the reason why it cannot. */
  webReady: Promise<string | undefined>;
  /** Resolves when an engine takes samples, or at once where no agent runs. */
  agentReady: Promise<void>;
  /** Agent first, then what is queued, then connections, then the data folder. */
  close(): Promise<void>;
}

/** A batch that was being stored when the process was killed is not to blame for it: give it many chances. */
const MAX_RECEIVES = 20;

/** How long each step of stopping may take. */
const AGENT_GRACE_MS = 10_000;
const DRAIN_GRACE_MS = 10_000;
const CONNECTION_GRACE_MS = 3000;

/**
 * Runs the hub on one machine: the API over HTTP, its jobs in this process (merges in a thread of their own), its storage
 * in a folder.
 * @throws StartupError, which says in one line what to do
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host = '127.0.0.1', port = 4040, clock = Date.now, dataFolder } = options;
  const write = options.log ?? ((line: string) => process.stderr.write(line));
  const telemetry = createTelemetry({ level: options.logLevel ?? 'info', clock, write });
  const storage = await openEmbeddedStorage({ folder: dataFolder, clock, maxReceives: MAX_RECEIVES }).catch(
    (error) => {
      throw storageError(dataFolder, error);
    },
  );
  const opened = openHub(storage, { telemetry, clock, settings: options.settings });
  const { settings } = opened;
  const queries = startQueryThreads({ dataFolder, settings, telemetry, count: availableParallelism() - 1 });
  const hub: Hub = { ...opened, queryWorkers: queries };
  const web = serveWeb(options.web === true);
  let http: HttpServer;
  try {
    await ensureLocalCluster(hub.registry, clock());
    const handle = createHandler(hub, {
      ...{ host, telemetry, token: options.token, anyHostName: options.anyHostName === true },
      pathPrefix: prefixOf(options),
      respondWeb: web.respond,
    });
    const onError = (error: unknown) => telemetry.log('error', `request failed: ${(error as Error)?.stack}`);
    http = await listen({ host, port, handle, onError }).catch(async (error) => {
      throw await listenError(host, port, error);
    });
  } catch (error) {
    await storage.close();
    throw error;
  }
  const url = `http://${urlHost(host)}:${http.port}`;
  const compaction = startCompactionThread(hub, dataFolder);
  const scheduler = startScheduler(hub, compaction.run);
  const engineRuns = Promise.withResolvers<void>();
  const onLine = options.onAgentLine ?? ((line: string) => telemetry.log('info', `agent: ${line}`));
  const agent = options.agent
    ? await startAgent(hub, { hubUrl: url, dataFolder, onLine, onEngineRuns: engineRuns.resolve })
    : undefined;
  if (!agent) engineRuns.resolve();
  let closing: Promise<void> | undefined;
  return {
    url: url + prefixOf(options),
    hub,
    telemetry,
    webReady: web.ready,
    agentReady: engineRuns.promise,
    close: () => (closing ??= close()),
  };

  async function close(): Promise<void> {
    await agent?.stop(AGENT_GRACE_MS);
    await http.close(CONNECTION_GRACE_MS);
    await Promise.all([scheduler.stop(DRAIN_GRACE_MS), compaction.stop(DRAIN_GRACE_MS)]);
    await queries.stop();
    await storage.close();
  }
}

function prefixOf({ pathPrefix = '' }: ServerOptions): string {
  return pathPrefix.replace(/\/+$/, '');
}

/** An address that every interface answers to is reached by the loopback one. */
function urlHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

async function startAgent(
  hub: Hub,
  options: { hubUrl: string; dataFolder: string; onLine(line: string): void; onEngineRuns(): void },
): Promise<RunningAgent | undefined> {
  if (!hasAgent()) {
    options.onLine('not part of this installation');
    options.onEngineRuns();
    return undefined;
  }
  const { accessKeyId, secret, cluster } = await localAgentCredential(hub.registry, hub.clock());
  return runAgent({
    ...{ ...options, cluster, accessKeyId },
    node: localNode(),
    secretAccessKey: secret,
    onExit(reason, retryMs) {
      hub.telemetry.log('warn', `agent ${reason}; starting it again in ${retryMs / 1000} s`);
      // The page works without it: "ready" does not wait for a second try.
      options.onEngineRuns();
    },
  });
}
