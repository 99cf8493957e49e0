import type { TestContext } from 'node:test';
import type { ClusterAccess } from '../../pipeline/hub.ts';
import { listen } from '../../server/http-server.ts';
import { type ApiUnderTest, openApi } from '../api/api-under-test.ts';

const ROLES: ClusterAccess = {
  kind: 'role',
  account: '111111111111',
  region: 'eu-central-1',
  rolePrefix: 'cinderblock-prod-cluster-',
  ingestUrl: 'https://abc.execute-api.eu-central-1.amazonaws.com',
};

/** A hub whose clusters have roles, as on AWS, over HTTP on loopback. */
export async function openRoleHub(t: TestContext): Promise<ApiUnderTest & { url: string }> {
  const api = await openApi(t, { openAdmin: true, access: ROLES });
  const handle = async (request: Request) => {
    const { pathname, search } = new URL(request.url);
    const { method, headers } = request;
    const body = method === 'GET' ? undefined : await request.arrayBuffer();
    return api.send(pathname + search, { method, headers, body });
  };
  const server = await listen({
    host: '127.0.0.1',
    port: 0,
    handle,
    onError: (error) => console.error(error),
  });
  t.after(() => server.close(0));
  return { ...api, url: `http://127.0.0.1:${server.port}` };
}
