import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import type { UniversalClientFn } from '@connectrpc/connect/protocol';
import { createTransport as createConnectTransport } from '@connectrpc/connect/protocol-connect';
import { createTransport as createGrpcWebTransport } from '@connectrpc/connect/protocol-grpc-web';
import { PusherService } from '../../api/gen/push/v1/push_pb.js';
import { QuerierService } from '../../api/gen/querier/v1/querier_pb.js';
import { pprofOf } from '../api/pprof-fixture.ts';
import { openServer } from '../server/server-under-test.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

/** What a transport needs of HTTP, over fetch. */
const httpClient: UniversalClientFn = async ({ url, method, header, body, signal }) => {
  const pieces: Uint8Array[] = [];
  for await (const piece of body ?? []) pieces.push(piece);
  const response = await fetch(url, { method, headers: header, body: Buffer.concat(pieces), signal });
  // fetch asks for gzip by itself, and takes it off.
  const answered = new Headers(response.headers);
  for (const name of ['content-encoding', 'content-length']) answered.delete(name);
  return { status: response.status, header: answered, body: response.body!, trailer: new Headers() };
};

test('stock Connect and gRPC-web clients push, ask, and are told their errors', async (t) => {
  const { url, process: store } = await openServer(t);
  const options = {
    baseUrl: url,
    httpClient,
    ...{ interceptors: [], acceptCompression: [], sendCompression: null, compressMinBytes: 0 },
    ...{ readMaxBytes: 1e9, writeMaxBytes: 1e9, defaultTimeoutMs: 60_000 },
  };
  const transports = [
    createConnectTransport({ ...options, useBinaryFormat: true }),
    createConnectTransport({ ...options, useBinaryFormat: false }),
    createGrpcWebTransport({ ...options, useBinaryFormat: true }),
  ];
  const names = Array.from({ length: 500 }, (_, i) => [
    `a function with a rather long name, number ${i}`,
    [1],
  ]);
  const rawProfile = pprofOf({ stacks: Object.fromEntries(names), timeMs: Date.now() - 20_000 });
  const labels = [
    { name: '__name__', value: 'process_cpu' },
    { name: 'service_name', value: 'shop' },
  ];
  for (const transport of transports) {
    await createClient(PusherService, transport).push({ series: [{ labels, samples: [{ rawProfile }] }] });
  }
  await store();
  const range = { start: BigInt(Date.now() - 600_000), end: BigInt(Date.now()) };
  for (const transport of transports) {
    const querier = createClient(QuerierService, transport);
    const selection = { profileTypeID: CPU, labelSelector: '{service_name="shop"}', ...range };
    const { flamegraph } = await querier.selectMergeStacktraces(selection);
    assert.equal(flamegraph!.total, 1500n);
    assert.equal(flamegraph!.names.length, 501);
    await assert.rejects(querier.selectSeries({ ...selection, step: 0 }), (error) => {
      return (
        error instanceof ConnectError && error.code === Code.InvalidArgument && /1ms/.test(error.message)
      );
    });
    await assert.rejects(querier.selectHeatmap(selection), (error) => {
      return error instanceof ConnectError && error.code === Code.Unimplemented;
    });
  }
});
