import { type Access, hashToken, identify } from '../api/access/identify.ts';
import { ALL_SCOPES, requirePermission } from '../api/access/identity.ts';
import { allRoutes } from '../api/all-routes.ts';
import { errorResponse, failureOf } from '../api/error-response.ts';
import { createApi, withoutPrefix } from '../api/router.ts';
import type { Hub } from '../pipeline/hub.ts';
import type { ApiToken } from '../storage/registry.ts';
import type { Handler } from './http-server.ts';
import { isLoopback, refuseForeignNames, refuseForeignPages } from './own-pages-only.ts';
import { PRODUCT_VERSION } from './product-version.ts';
import type { WebResponder } from './serve-web.ts';
import type { ServerTelemetry } from './telemetry.ts';

export interface HandlerOptions {
  /** The address that the server listens on. */
  host: string;
  /** Without a slash at the end; "" for none. */
  pathPrefix: string;
  token: string | undefined;
  anyHostName: boolean;
  telemetry: ServerTelemetry;
  respondWeb: WebResponder;
}

/** The API, the metrics and the page behind one door, which only our own pages and tools may pass. */
export function createHandler(hub: Hub, options: HandlerOptions): Handler {
  const { host, pathPrefix, token, telemetry, respondWeb } = options;
  const api = createApi(hub, allRoutes(hub, PRODUCT_VERSION), { pathPrefix });
  const access: Access = {
    registry: hub.registry,
    clock: () => hub.clock(),
    open: token === undefined,
    openAdmin: isLoopback(host),
  };
  if (token !== undefined) access.hostToken = hostToken(token);
  const guardsNames = token === undefined && !options.anyHostName && isLoopback(host);
  const context = { identify: (request: Request) => identify(request, access) };

  return async (request) => {
    try {
      refuseForeignPages(request);
      if (guardsNames) refuseForeignNames(request, host);
    } catch (error) {
      return errorResponse(failureOf(error));
    }
    const { pathname } = new URL(request.url);
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (api.has(pathname) || !isRead) return api.handle(request, context);
    if (pathPrefix !== '' && pathname === pathPrefix) return redirect(`${pathPrefix}/`);
    const path = withoutPrefix(pathname, pathPrefix);
    if (path === '/metrics') return metricsFor(request);
    return (await respondWeb(request, path)) ?? api.handle(request, context);
  };

  /** Names of clusters are in them, so they are for those who may ask. */
  async function metricsFor(request: Request): Promise<Response> {
    try {
      requirePermission(await context.identify(request), 'query');
    } catch (error) {
      return errorResponse(failureOf(error));
    }
    const headers = { 'content-type': 'text/plain; version=0.0.4' };
    return new Response(telemetry.metricsText(), { headers });
  }
}

/** A token from the environment, which the registry does not know. */
function hostToken(token: string): ApiToken {
  return { tokenHash: hashToken(token), name: 'of this server', scopes: [ALL_SCOPES], createdAt: 0 };
}

/** Relative URLs of the page need the slash. */
function redirect(location: string): Response {
  return new Response(null, { status: 308, headers: { location } });
}
