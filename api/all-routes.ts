import type { Hub } from '../pipeline/hub.ts';
import { adminRoutes } from './admin/admin-routes.ts';
import { agentRoutes } from './agents/agent-routes.ts';
import { healthRoutes } from './health-routes.ts';
import { pushRoutes } from './ingest/push-routes.ts';
import { queryRoutes } from './query/query-routes.ts';
import type { Route } from './route.ts';

/** Everything a hub answers. Hosts of several processes give each its own of these lists. */
export function allRoutes(hub: Hub, version: string): Route[] {
  return [...healthRoutes(version), ...agentRoutes, ...pushRoutes(hub), ...queryRoutes(), ...adminRoutes()];
}
