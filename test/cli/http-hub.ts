import type { TestContext } from 'node:test';
import { listen } from '../../server/http-server.ts';
import { type ApiTestOptions, type ApiUnderTest, openApi } from '../api/api-under-test.ts';

/** A hub over HTTP on loopback, whose clock stands still. */
export async function openHttpHub(
  t: TestContext,
  options: ApiTestOptions = { openAdmin: true },
): Promise<ApiUnderTest & { url: string }> {
  const api = await openApi(t, options);
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
