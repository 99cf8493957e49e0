import type { ConnectRouter } from '@connectrpc/connect';
import { connectRoutes } from '../connect-routes.ts';
import { FeatureFlagsService } from '../gen/capabilities/v1/feature_flags_pb.js';
import { QueryService } from '../gen/cinderblock/v1/query_pb.js';
import { QuerierService } from '../gen/querier/v1/querier_pb.js';
import { SettingsService } from '../gen/settings/v1/settings_pb.js';
import { VCSService } from '../gen/vcs/v1/vcs_pb.js';
import { Version } from '../gen/version/v1/version_pb.js';
import type { Route } from '../route.ts';
import { exportRoutes } from './export-route.ts';
import { querierService } from './querier-service.ts';
import { queryService } from './query-service.ts';
import { renderRoutes } from './render-route.ts';
import { featureFlagsService, settingsService, versionService } from './side-services.ts';
import { treeRoutes } from './tree-route.ts';

const QUERY_BYTES_MAX = { name: 'queryBytesMax', value: 1024 * 1024 };

/** Where people and tools read profiles. */
export function queryRoutes(): Route[] {
  const services = connectRoutes('query', QUERY_BYTES_MAX, registerServices);
  return [...treeRoutes, ...exportRoutes, ...renderRoutes, ...services];
}

function registerServices(router: ConnectRouter): void {
  // Fields of our own service are always there, zero or not; others get the sparse JSON that their clients know.
  const wholeJson = { jsonOptions: { alwaysEmitImplicit: true } };
  router
    .service(QuerierService, querierService)
    .service(QueryService, queryService, wholeJson)
    .service(FeatureFlagsService, featureFlagsService)
    .service(SettingsService, settingsService)
    .service(Version, versionService)
    .service(VCSService, {});
}
