import { adminRoutes } from '../api/admin/admin-routes.ts';
import { compileLinearRegex } from '../pipeline/linear-regex.ts';
import { adminHub } from './admin-hub.ts';
import { once } from './invocation.ts';
import { type FunctionHub, openHub } from './open-hub.ts';
import { serveRoutes } from './serve-routes.ts';

/** Looks after clusters, tokens, dead letters and quarantine, and after what is kept and deleted. */
export function adminHandler(open: () => FunctionHub) {
  return serveRoutes(
    once(() => adminHub(open())),
    adminRoutes,
  );
}

export const handler = adminHandler(
  once(() => openHub({ service: 'admin', isAdmin: true, compileRegex: compileLinearRegex })),
);
