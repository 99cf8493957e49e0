import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ContainerNames } from '../../../agent/naming/container-names.ts';
import { ProcessLabels, threadLabel } from '../../../agent/naming/process-labels.ts';
import type { AttributeValue } from '../../../core/otlp/otlp-attributes.ts';

const ID = 'cd'.repeat(32);
const node = { cluster: 'c', node: 'n', engine: 'perf' };
const noContainers = { find: () => undefined };

function resource(more: Record<string, AttributeValue> = {}): Map<string, AttributeValue> {
  const usual = {
    'process.pid': 7,
    'process.parent_pid': 1,
    'process.executable.name': 'nginx',
    'process.executable.path': '/usr/sbin/nginx',
  };
  return new Map(Object.entries({ ...usual, ...more }));
}

test('a process on the node itself', () => {
  const labels = new ProcessLabels({ node, containers: noContainers, now: () => 0 });
  assert.deepEqual(Object.fromEntries(labels.of(resource({ 'cgroup.path': '/system.slice/web.service' }))), {
    ...node,
    service_name: 'web',
    executable: 'nginx',
  });
});

test('a process in a pod', () => {
  const containers = {
    find: () => ({ namespace: 'shop', pod: 'orders-7d4b9c8f6d-x2x9k', container: 'app' }),
  };
  const labels = new ProcessLabels({ node, containers, now: () => 0 });
  const path = `/kubepods/burstable/pod0a1b2c3d-1111-2222-3333-444455556666/${ID}`;
  assert.deepEqual(Object.fromEntries(labels.of(resource({ 'cgroup.path': path }))), {
    ...node,
    service_name: 'orders',
    executable: 'nginx',
    container_id: ID,
    namespace: 'shop',
    pod: 'orders-7d4b9c8f6d-x2x9k',
    pod_uid: '0a1b2c3d-1111-2222-3333-444455556666',
    container: 'app',
  });
});

test('the parts of Cinderblock go by their own names', () => {
  const ownServices = new Map([[7, 'cinderblock-server']]);
  const labels = new ProcessLabels({ node, containers: noContainers, ownServices, now: () => 0 });
  assert.equal(new Map(labels.of(resource())).get('service_name'), 'cinderblock-server');
});

test('a name once found outlives its process, and goes when it was not used for long', () => {
  let now = 0;
  let args: string[] = ['/srv/billing.js'];
  const labels = new ProcessLabels({
    node,
    containers: noContainers,
    now: () => now,
    argumentsOf: () => args,
  });
  const script = resource({ 'process.executable.name': 'node' });
  assert.equal(new Map(labels.of(script)).get('service_name'), 'billing');
  args = [];
  assert.equal(new Map(labels.of(script)).get('service_name'), 'billing');
  now += 700_000;
  labels.forgetUnused();
  assert.equal(new Map(labels.of(script)).get('service_name'), 'node');
});

test('what processes call themselves cannot break a line or a page', () => {
  const labels = new ProcessLabels({ node, containers: noContainers, now: () => 0 });
  const hostile = resource({ 'process.executable.name': `a\nb\u001b[31m\u202ec${'x'.repeat(500)}` });
  const service = new Map(labels.of(hostile)).get('service_name')!;
  assert.match(service, /^a\ufffdb\ufffd\[31m\ufffdcx+$/);
  assert.equal(service.length, 200);
});

test('threads that only differ in a number share a name', () => {
  const names = {
    'kworker/0:1-events': 'kworker',
    'ksoftirqd/1': 'ksoftirqd',
    'pool-3': 'pool',
    'tokio-runtime-w': 'tokio-runtime-w',
    V8Worker: 'V8Worker',
    '42': '42',
    'GC#0': 'GC',
  };
  for (const [name, label] of Object.entries(names)) assert.equal(threadLabel(name), label);
});

test('names of containers come from the names of log files and from Docker', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-names-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const docker = 'ef'.repeat(32);
  mkdirSync(join(folder, 'docker', docker), { recursive: true });
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'logs', `web-0_shop_nginx-${ID}.log`), '');
  writeFileSync(join(folder, 'docker', docker, 'config.v2.json'), '{"Name": "/db"}');
  let now = 0;
  const names = new ContainerNames({
    logFolder: join(folder, 'logs'),
    dockerFolder: join(folder, 'docker'),
    now: () => now,
  });
  assert.deepEqual(names.find(ID), { pod: 'web-0', namespace: 'shop', container: 'nginx' });
  now += 60_000;
  assert.deepEqual(names.find(docker), { container: 'db' });
  now += 60_000;
  assert.equal(names.find('00'.repeat(32)), undefined);
});
