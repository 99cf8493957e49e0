import type { Hub } from '../pipeline/hub.ts';
import { type Identity, requirePermission } from './access/identity.ts';
import { errorResponse, failureOf, HttpError, logBug } from './error-response.ts';
import type { Route } from './route.ts';

export interface ApiOptions {
  /** Under which path the API lives, such as `/profiles`; it also answers without it. Default none. */
  pathPrefix?: string;
}

export interface Api {
  /** Whether a path is one of the API's, by any method: a host serves its pages on the others. */
  has(pathname: string): boolean;
  /** Answers a request. Never throws: an error is an answer too. */
  handle(request: Request, context: ApiContext): Promise<Response>;
}

export interface ApiContext {
  /** Works out who calls, where it is asked for; what it throws is answered like any error. */
  identify(request: Request): Promise<Identity>;
}

/** Some routes over one hub. Hosts bring the request, who sent it, and a way to send the response. */
export function createApi(hub: Hub, routes: readonly Route[], options: ApiOptions = {}): Api {
  const table = new RouteTable(routes);
  const prefix = (options.pathPrefix ?? '').replace(/\/+$/, '');

  async function handle(request: Request, context: ApiContext): Promise<Response> {
    const url = new URL(request.url);
    const path = withoutPrefix(url.pathname, prefix);
    // The route's own path, so that paths made up by callers make no new series.
    let routePath = 'none';
    let response: Response;
    try {
      const { route, params } = table.match(request.method, path);
      routePath = route.path;
      const identity: Identity =
        route.permission === 'public' ? { kind: 'anonymous' } : await context.identify(request);
      requirePermission(identity, route.permission);
      response = await route.handle({ hub, request, identity, path, params, query: url.searchParams });
    } catch (error) {
      const failure = failureOf(error);
      if (failure.isBug) logBug(hub, path, error);
      response = errorResponse(failure);
    }
    hub.telemetry.count('api_requests_total', 1, { route: routePath, status: String(response.status) });
    return response;
  }

  return { has: (pathname) => table.find(withoutPrefix(pathname, prefix)).length > 0, handle };
}

/** The path below the prefix; a path that does not begin with it is taken whole, for proxies that cut it off. */
export function withoutPrefix(pathname: string, prefix: string): string {
  if (prefix === '' || !pathname.startsWith(prefix)) return pathname;
  const rest = pathname.slice(prefix.length);
  return rest === '' ? '/' : rest.startsWith('/') ? rest : pathname;
}

interface Match {
  route: Route;
  params: Record<string, string>;
}

class RouteTable {
  readonly #exact = new Map<string, Route[]>();
  readonly #patterns: { segments: string[]; route: Route }[] = [];

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      if (route.path.includes('/:')) this.#patterns.push({ segments: route.path.split('/'), route });
      else this.#exact.set(route.path, [...(this.#exact.get(route.path) ?? []), route]);
    }
  }

  /** Routes of any method with this path. */
  find(path: string): Match[] {
    const exact = (this.#exact.get(path) ?? []).map((route) => ({ route, params: {} }));
    if (exact.length > 0) return exact;
    const segments = path.split('/');
    return this.#patterns.flatMap(({ segments: pattern, route }) => {
      const params = matchSegments(pattern, segments);
      return params === undefined ? [] : [{ route, params }];
    });
  }

  match(method: string, path: string): Match {
    const found = this.find(path);
    const match = found.find(
      ({ route }) => route.method === method || (method === 'HEAD' && route.method === 'GET'),
    );
    if (match) return match;
    if (found.length === 0) throw new HttpError(404, 'not_found', `there is no ${path} here`);
    const allow = found.map(({ route }) => route.method).join(', ');
    throw new HttpError(405, 'unimplemented', `${path} takes ${allow}, not ${method}`, { allow });
  }
}

function matchSegments(pattern: string[], segments: string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: [string, string][] = [];
  for (let i = 0; i < pattern.length; i++) {
    const wanted = pattern[i]!;
    if (!wanted.startsWith(':')) {
      if (wanted !== segments[i]) return undefined;
      continue;
    }
    const value = decodeSegment(segments[i]!);
    if (value === undefined || value === '') return undefined;
    params.push([wanted.slice(1), value]);
  }
  return Object.fromEntries(params);
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
