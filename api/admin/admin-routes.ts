import { connectRoutes } from '../connect-routes.ts';
import { AdminService } from '../gen/cinderblock/v1/admin_pb.js';
import type { Route } from '../route.ts';
import { adminService } from './admin-service.ts';

const ADMIN_BYTES_MAX = { name: 'adminBytesMax', value: 1024 * 1024 };

/** Where operators look after clusters, tokens and queues. */
export function adminRoutes(): Route[] {
  const wholeJson = { jsonOptions: { alwaysEmitImplicit: true } };
  return connectRoutes('admin', ADMIN_BYTES_MAX, (router) =>
    router.service(AdminService, adminService, wholeJson),
  );
}
