import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { errorResponse, failureOf } from '../../api/error-response.ts';
import { readBody } from '../../api/read-body.ts';
import { RejectedError } from '../../core/errors.ts';
import { type Handler, type HttpServer, listen } from '../../server/http-server.ts';

async function open(
  t: TestContext,
  handle: Handler,
): Promise<{ url: string; server: HttpServer; errors: unknown[] }> {
  const errors: unknown[] = [];
  const server = await listen({ host: '127.0.0.1', port: 0, handle, onError: (error) => errors.push(error) });
  t.after(() => server.close(0));
  return { url: `http://127.0.0.1:${server.port}`, server, errors };
}

/** Sends bytes as they are and answers all that comes back until the server closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => (answer += chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });
}

const limited: Handler = async (request) => {
  try {
    const body = await readBody(request, { name: 'test limit', value: 1000 });
    return Response.json({ length: body.length });
  } catch (error) {
    return errorResponse(failureOf(error));
  }
};

test('method, path, query, headers and body arrive', async (t) => {
  const { url } = await open(t, async (request) => {
    const { pathname, search } = new URL(request.url);
    const text = await request.text();
    return Response.json([request.method, pathname, search, request.headers.get('x-note'), text]);
  });
  const response = await fetch(`${url}/a//b%2Fc?x=%20y`, {
    method: 'POST',
    headers: { 'x-note': 'n' },
    body: 'body',
  });
  assert.deepEqual(await response.json(), ['POST', '/a//b%2Fc', '?x=%20y', 'n', 'body']);
  assert.ok(response.headers.get('date'));
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
});

test('a path that looks like another host stays a path', async (t) => {
  const { server } = await open(t, async (request) => new Response(new URL(request.url).pathname));
  const answer = await raw(
    server.port,
    'GET //evil.example/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  );
  assert.match(answer, /\/\/evil\.example\/x$/);
});

test('a body that is too long is refused, and the client reads why, although it is still sending', async (t) => {
  const { url } = await open(t, limited);
  const declared = await fetch(url, { method: 'POST', body: new Uint8Array(20_000_000) });
  assert.equal(declared.status, 413);
  assert.match(((await declared.json()) as { message: string }).message, /test limit is 1000 bytes/);
  let sent = 0;
  const stream = new ReadableStream({
    pull(controller) {
      sent += 100_000;
      if (sent > 20_000_000) controller.close();
      else controller.enqueue(new Uint8Array(100_000));
    },
  });
  const chunked = await fetch(url, { method: 'POST', body: stream, duplex: 'half' } as RequestInit);
  assert.equal(chunked.status, 413);
});

test('a client that never stops sending is cut off', async (t) => {
  const { server } = await open(t, limited);
  const started = performance.now();
  const answer = await new Promise<string>((resolve) => {
    let text = '';
    const socket = connect(server.port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = `3e8\r\n${'x'.repeat(1000)}\r\n`;
    const timer = setInterval(() => socket.write(chunk), 5);
    socket.on('data', (data) => (text += data));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(timer);
      resolve(text);
    });
  });
  assert.match(answer, /^HTTP\/1\.1 413 /);
  assert.ok(performance.now() - started < 20_000);
});

test('a client that leaves halfway harms nobody', async (t) => {
  let failure: unknown;
  const { server, url, errors } = await open(t, async (request) => {
    try {
      await readBody(request, { name: 'limit', value: 1e6 });
    } catch (error) {
      failure = error;
    }
    return new Response('done');
  });
  await new Promise<void>((resolve) => {
    const socket = connect(server.port, '127.0.0.1', () => {
      socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\nabc', () => socket.destroy());
    });
    socket.on('close', () => resolve());
  });
  while (failure === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.match((failure as Error).message, /stopped halfway/);
  assert.equal((await fetch(url, { method: 'POST', body: 'x' })).status, 200);
  assert.deepEqual(errors, []);
});

test('a long answer is made no faster than it is taken, and stops with its reader', async (t) => {
  let made = 0;
  let cancelled = false;
  const body = () =>
    new ReadableStream({
      pull(controller) {
        made++;
        controller.enqueue(new Uint8Array(65_536));
      },
      cancel() {
        cancelled = true;
      },
    });
  const { server } = await open(t, async () => new Response(body()));
  const socket = connect(server.port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
  socket.on('error', () => undefined);
  socket.pause();
  let before = -1;
  while (made !== before || made === 0) {
    before = made;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.ok(made < 500, `made ${made} pieces for nobody`);
  socket.destroy();
  while (!cancelled) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('the signal of a request fires when its caller goes', async (t) => {
  let aborted = false;
  const { url } = await open(t, (request) => {
    return new Promise((resolve) => {
      request.signal.addEventListener('abort', () => {
        aborted = true;
        resolve(new Response('late'));
      });
    });
  });
  await assert.rejects(fetch(url, { signal: AbortSignal.timeout(100) }));
  while (!aborted) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('a handler that fails is answered by closing, and reported', async (t) => {
  const { url, errors } = await open(t, async () => {
    throw new RejectedError('invalid', 'handlers answer, they do not throw');
  });
  await assert.rejects(fetch(url));
  assert.equal(errors.length, 1);
});

test('closing waits for requests under way, and takes no new ones', async (t) => {
  let release = () => {};
  const entered = Promise.withResolvers<void>();
  const { url, server } = await open(t, async () => {
    entered.resolve();
    await new Promise<void>((resolve) => (release = resolve));
    return new Response('whole');
  });
  const answer = fetch(url).then((response) => response.text());
  await entered.promise;
  const closed = server.close(10_000);
  await assert.rejects(fetch(url));
  release();
  assert.equal(await answer, 'whole');
  await closed;
});

test('closing cuts off what does not finish in time', async (t) => {
  const { url, server } = await open(t, () => new Promise(() => undefined));
  const answer = assert.rejects(fetch(url));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await server.close(50);
  await answer;
});

test('bytes that are no HTTP are answered with 400', async (t) => {
  const { server } = await open(t, async () => new Response('x'));
  assert.match(await raw(server.port, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /);
});
