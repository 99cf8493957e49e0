import type { Hub } from '../../pipeline/hub.ts';
import { connectRoutes } from '../connect-routes.ts';
import { PusherService } from '../gen/push/v1/push_pb.js';
import type { Route } from '../route.ts';
import { ingestRoutes } from './ingest-route.ts';
import { otlpRoutes } from './otlp-route.ts';
import { pushService } from './push-service.ts';

/** Where SDKs and collectors push profiles to. */
export function pushRoutes(hub: Hub): Route[] {
  const limit = { name: 'pprofBytesMax', value: hub.settings.pprofBytesMax };
  const pusher = connectRoutes('ingest', limit, (router) => router.service(PusherService, pushService));
  return [...ingestRoutes, ...otlpRoutes, ...pusher];
}
