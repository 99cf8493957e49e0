import { healthRoutes } from '../api/health-routes.ts';
import { queryRoutes } from '../api/query/query-routes.ts';
import { once } from './invocation.ts';
import type { FunctionHub } from './open-hub.ts';
import { PRODUCT_VERSION } from './product-version.ts';
import { openQueryHub } from './query-hub.ts';
import { serveRoutes } from './serve-routes.ts';

/** Answers people and tools. */
export function queryHandler(open: () => FunctionHub) {
  return serveRoutes(open, () => [...healthRoutes(PRODUCT_VERSION), ...queryRoutes()]);
}

export const handler = queryHandler(once(openQueryHub));
