import { agentRoutes } from '../api/agents/agent-routes.ts';
import { pushRoutes } from '../api/ingest/push-routes.ts';
import { once } from './invocation.ts';
import { type FunctionHub, openHub } from './open-hub.ts';
import { serveRoutes } from './serve-routes.ts';

/** Takes batches and heartbeats of agents, and what SDKs push. */
export function ingestHandler(open: () => FunctionHub) {
  return serveRoutes(open, (hub) => [...agentRoutes, ...pushRoutes(hub)]);
}

/** A line of metrics per batch would cost a third of what the invocation does (docs/cost.md). No alarm looks at these. */
const METRICS_EVERY_MS = 60_000;

export const handler = ingestHandler(
  once(() => openHub({ service: 'ingest', metricsEveryMs: METRICS_EVERY_MS })),
);
