import type { Call, Route } from './route.ts';

/** Whether the hub answers, and what it is. */
export function healthRoutes(version: string): Route[] {
  const ready = async () => new Response('ready\n', { headers: { 'content-type': 'text/plain' } });
  return [
    { method: 'GET', path: '/healthz', permission: 'public', handle: (call) => getHealth(call, version) },
    { method: 'GET', path: '/ready', permission: 'public', handle: ready },
    {
      method: 'GET',
      path: '/api/v1/status/buildinfo',
      permission: 'query',
      handle: () => getBuildInfo(version),
    },
  ];
}

/** Asks the catalog and the queue, so that a hub whose storage hangs or fails is not called healthy. */
async function getHealth({ hub }: Call, version: string): Promise<Response> {
  const depth = await hub.queue.depth();
  return Response.json({
    status: 'ok',
    version,
    queue: { waiting: depth.visible + depth.inFlight, dead: depth.dead, oldestMs: depth.oldestMs },
    nowMs: hub.clock(),
  });
}

/** In the shape of Prometheus, which Grafana's data sources read. */
async function getBuildInfo(version: string): Promise<Response> {
  const data = { version, revision: '', branch: '', buildUser: '', buildDate: '', goVersion: '' };
  return Response.json({ status: 'success', data });
}
