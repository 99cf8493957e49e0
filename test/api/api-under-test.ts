import type { TestContext } from 'node:test';
import { identify } from '../../api/access/identify.ts';
import { allRoutes } from '../../api/all-routes.ts';
import { gunzip } from '../../api/gunzip.ts';
import { createApi } from '../../api/router.ts';
import type { ClusterAccess, Hub, HubSettings } from '../../pipeline/hub.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { NOW, openHub, type TestHub } from '../pipeline/fixtures.ts';

export { NOW } from '../pipeline/fixtures.ts';
export const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

// biome-ignore lint/suspicious/noExplicitAny: answers are compared field by field, which a type would only repeat.
export type Json = any;

export interface ApiUnderTest {
  hub: Hub;
  /** The clock and the log of the hub. */
  control: TestHub;
  /** Sends a request to the API as a host would hand it over. */
  send(path: string, init?: RequestInit): Promise<Response>;
  /** POSTs JSON and answers the JSON that came back. */
  call(path: string, body: object): Promise<{ status: number; body: Json; headers: Headers }>;
  /** POSTs a pprof profile to /ingest and stores it. */
  push(name: string, pprof: Uint8Array<ArrayBuffer>, params?: Record<string, string>): Promise<void>;
  /** Stores what is queued. */
  process(): Promise<void>;
}

export interface ApiTestOptions {
  /** Default: open to all. */
  open?: boolean;
  /** Everybody may administer an open hub. Default: nobody. */
  openAdmin?: boolean;
  /** How clusters get in. Default: by key pairs. */
  access?: ClusterAccess;
  pathPrefix?: string;
  settings?: Partial<HubSettings>;
}

/** The whole API on embedded storage in a temporary folder; its clock stands at NOW. */
export async function openApi(t: TestContext, options: ApiTestOptions = {}): Promise<ApiUnderTest> {
  const control = await openHub(t);
  const hub: Hub = {
    ...control,
    gunzip,
    access: options.access ?? control.access,
    settings: { ...control.settings, ...options.settings },
  };
  await hub.registry.createCluster({ cluster: 'local', displayName: '', status: 'active', createdAt: NOW });
  const api = createApi(hub, allRoutes(hub, '1.2.3'), { pathPrefix: options.pathPrefix });
  const { open = true, openAdmin = false } = options;
  const access = { registry: hub.registry, clock: hub.clock, open, openAdmin };

  const send = (path: string, init: RequestInit = {}) =>
    api.handle(new Request(`http://127.0.0.1:4040${path}`, init), {
      identify: (request) => identify(request, access),
    });

  const process = async () => {
    while ((await processBatches(hub)).batches > 0);
  };

  return {
    hub,
    control,
    send,
    process,
    async call(path, body) {
      const headers = { 'content-type': 'application/json' };
      const response = await send(path, { method: 'POST', headers, body: JSON.stringify(body) });
      return { status: response.status, body: await response.json(), headers: response.headers };
    },
    async push(name, pprof, params = {}) {
      const query = new URLSearchParams({ name, format: 'pprof', ...params });
      const response = await send(`/ingest?${query}`, { method: 'POST', body: pprof });
      if (response.status !== 200) throw new Error(`push: ${response.status} ${await response.text()}`);
      await process();
    },
  };
}
