import { hashToken, identify } from '../api/access/identify.ts';
import { ALL_SCOPES } from '../api/access/identity.ts';
import { errorResponse, failureOf } from '../api/error-response.ts';
import { type Api, createApi, withoutPrefix } from '../api/router.ts';
import type { Hub, HubSettings } from '../pipeline/hub.ts';
import { openEmbeddedStorage } from '../storage/embedded/open-embedded-storage.ts';
import { buildWeb, HOW_TO_BUILD, isWebStale, WEB_DIST } from './build-web.ts';
import { type HttpServer, listen } from './http-server.ts';
import { ensureLocalCluster, localAgentCredential, localNode } from './local-cluster.ts';
import { openHub } from './open-hub.ts';
import { isLoopback, refuseForeignNames, refuseForeignPages } from './own-pages-only.ts';
import { PRODUCT_VERSION } from './product-version.ts';
import { hasAgent, type RunningAgent, runAgent } from './run-agent.ts';
import { startScheduler } from './scheduler.ts';
import { listenError, storageError } from './startup-error.ts';
import { createTelemetry, type ServerTelemetry } from './telemetry.ts';
import { openWebFiles, placeholder, type WebFiles } from './web-files.ts';

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
 * Runs the hub on one machine: the API over HTTP, its jobs in this process, its storage in a folder.
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
  const hub = openHub(storage, { telemetry, clock, settings: options.settings });
  const web = serveWeb(options.web === true);
  let http: HttpServer;
  try {
    await ensureLocalCluster(hub.registry, clock());
    const handle = createHandler(hub, options, telemetry, web.respond);
    const onError = (error: unknown) => telemetry.log('error', `request failed: ${(error as Error)?.stack}`);
    http = await listen({ host, port, handle, onError }).catch(async (error) => {
      throw await listenError(host, port, error);
    });
  } catch (error) {
    await storage.close();
    throw error;
  }
  const url = `http://${urlHost(host)}:${http.port}`;
  const scheduler = startScheduler(hub);
  const agent = options.agent ? await startAgent(hub, url, options) : undefined;
  let closing: Promise<void> | undefined;
  return {
    url: url + prefixOf(options),
    hub,
    telemetry,
    webReady: web.ready,
    close: () => (closing ??= close()),
  };

  async function close(): Promise<void> {
    await agent?.stop(AGENT_GRACE_MS);
    await http.close(CONNECTION_GRACE_MS);
    await scheduler.stop(DRAIN_GRACE_MS);
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

type WebResponder = (request: Request, path: string) => Promise<Response | undefined>;

function createHandler(
  hub: Hub,
  options: ServerOptions,
  telemetry: ServerTelemetry,
  respondWeb: WebResponder,
) {
  const prefix = prefixOf(options);
  const { host = '127.0.0.1', clock = Date.now, token } = options;
  const api: Api = createApi(hub, { version: PRODUCT_VERSION, pathPrefix: prefix });
  const access = {
    registry: hub.registry,
    clock,
    open: token === undefined,
    hostToken: token === undefined ? undefined : hostToken(token),
  };
  const guardsNames = token === undefined && options.anyHostName !== true && isLoopback(host);
  const who = (request: Request) => identify(request, access);

  return async (request: Request): Promise<Response> => {
    try {
      refuseForeignPages(request);
      if (guardsNames) refuseForeignNames(request, host);
      const { pathname } = new URL(request.url);
      if (api.has(pathname) || (request.method !== 'GET' && request.method !== 'HEAD')) {
        return await api.handle(request, { identify: who });
      }
      const path = withoutPrefix(pathname, prefix);
      if (path === '/metrics') return metricsResponse(telemetry);
      if (prefix !== '' && pathname === prefix) return redirect(`${prefix}/`);
      return (await respondWeb(request, path)) ?? (await api.handle(request, { identify: who }));
    } catch (error) {
      return errorResponse(failureOf(error));
    }
  };
}

/** A token from the environment or a test, which the registry does not know. */
function hostToken(token: string) {
  return { tokenHash: hashToken(token), name: 'of this server', scopes: [ALL_SCOPES], createdAt: 0 };
}

function metricsResponse(telemetry: ServerTelemetry): Response {
  return new Response(telemetry.metricsText(), { headers: { 'content-type': 'text/plain; version=0.0.4' } });
}

/** Relative URLs of the page need the slash. */
function redirect(location: string): Response {
  return new Response(null, { status: 308, headers: { location } });
}

/** Serves the page as soon as it is there; the API does not wait for it. */
function serveWeb(isWanted: boolean): { respond: WebResponder; ready: Promise<string | undefined> } {
  if (!isWanted) return { respond: async () => undefined, ready: Promise.resolve(undefined) };
  let files: WebFiles | undefined;
  let message = 'the page is being built';
  const ready = (async () => {
    const { built, output } = isWebStale() ? await buildWeb() : { built: true, output: '' };
    try {
      // An old page is better than none.
      files = await openWebFiles(WEB_DIST);
    } catch {
      message = HOW_TO_BUILD;
    }
    return built ? undefined : `${HOW_TO_BUILD}${output === '' ? '' : ` (${output.split('\n')[0]})`}`;
  })();
  const respond: WebResponder = async (request, path) => {
    if (files) return files.respond(request, path);
    return path.includes('.') ? undefined : placeholder(message);
  };
  return { respond, ready };
}

async function startAgent(
  hub: Hub,
  hubUrl: string,
  options: ServerOptions,
): Promise<RunningAgent | undefined> {
  const onLine = options.onAgentLine ?? ((line) => hub.telemetry.log('info', `agent: ${line}`));
  if (!hasAgent()) {
    onLine('not part of this installation');
    return undefined;
  }
  const { accessKeyId, secret, cluster } = await localAgentCredential(hub.registry, hub.clock());
  return runAgent({
    hubUrl,
    cluster,
    node: localNode(),
    accessKeyId,
    secretAccessKey: secret,
    dataFolder: options.dataFolder,
    onLine,
    onExit: (reason, retryMs) =>
      hub.telemetry.log('warn', `agent ${reason}; starting it again in ${retryMs / 1000} s`),
  });
}
