import { agentRoutes } from '../api/agents/agent-routes.ts';
import { pushRoutes } from '../api/ingest/push-routes.ts';
import { once } from './invocation.ts';
import { type FunctionHub, openHub } from './open-hub.ts';
import { serveRoutes } from './serve-routes.ts';

/** Takes batches and heartbeats of agents, and what SDKs push. */
export function ingestHandler(open: () => FunctionHub) {
  return serveRoutes(open, (hub) => [...agentRoutes, ...pushRoutes(hub)]);
}

export const handler = ingestHandler(once(() => openHub({ service: 'ingest' })));
