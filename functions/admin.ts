import { adminRoutes } from '../api/admin/admin-routes.ts';
import { once } from './invocation.ts';
import { type FunctionHub, openHub } from './open-hub.ts';
import { serveRoutes } from './serve-routes.ts';

/** Looks after clusters, tokens, dead letters and quarantine. */
export function adminHandler(open: () => FunctionHub) {
  return serveRoutes(open, adminRoutes);
}

export const handler = adminHandler(once(() => openHub({ service: 'admin', isAdmin: true })));
