import assert from 'node:assert/strict';
import { test } from 'node:test';
import { workloadOf } from '../../../agent/naming/container-names.ts';
import { scriptName } from '../../../agent/naming/script-name.ts';
import { type ProcessFacts, serviceName } from '../../../agent/naming/service-name.ts';

const ID = 'ab'.repeat(32);
const process: ProcessFacts = {
  pid: 100,
  parentPid: 1,
  executable: 'postgres',
  executablePath: '/usr/bin/postgres',
  cgroupPath: '/',
};
const nothing = { containerName: () => undefined, argumentsOf: () => [] };

test('what a process announced wins over all else', () => {
  const facts = { ...process, cgroupPath: '/system.slice/postgresql.service' };
  assert.equal(serviceName(facts, { ...nothing, announced: 'orders-db' }), 'orders-db');
});

test('a systemd unit wins over the executable', () => {
  assert.equal(
    serviceName({ ...process, cgroupPath: '/system.slice/postgresql.service' }, nothing),
    'postgresql',
  );
});

test('a container is named by its workload, its name, or its short id', () => {
  const facts = { ...process, cgroupPath: `/system.slice/docker-${ID}.scope` };
  assert.equal(serviceName(facts, nothing), 'abababababab');
  assert.equal(serviceName(facts, { ...nothing, containerName: () => ({ container: 'db' }) }), 'db');
  const pod = { pod: 'orders-7d4b9c8f6d-x2x9k', container: 'app' };
  assert.equal(serviceName(facts, { ...nothing, containerName: () => pod }), 'orders');
});

test('a container wins over the unit that runs inside it', () => {
  const facts = { ...process, cgroupPath: `/docker/${ID}/system.slice/nginx.service` };
  assert.equal(serviceName(facts, nothing), 'abababababab');
});

test('kernel threads are one service, and a process that ended early is not among them', () => {
  const thread = { ...process, executable: 'kworker/0:1', executablePath: undefined, parentPid: 2 };
  assert.equal(serviceName(thread, nothing), 'kernel');
  assert.equal(serviceName({ ...thread, parentPid: 77, executable: 'cc1' }, nothing), 'cc1');
});

test('an interpreter is named by its script while it lives', () => {
  const node = { ...process, executable: 'node' };
  assert.equal(
    serviceName(node, { ...nothing, argumentsOf: () => ['/srv/billing.js', '--token=secret'] }),
    'billing',
  );
  assert.equal(serviceName(node, nothing), 'node');
});

const SCRIPTS: [executable: string, args: string[], name: string | undefined][] = [
  ['node', ['server.js'], 'node-server'],
  ['node', ['--max-old-space-size=64', '-r', './tracing.js', '/app/worker.mjs'], 'worker'],
  ['node', ['-e', 'process.env.SECRET'], undefined],
  ['python3.11', ['-m', 'http.server', '8000'], 'http.server'],
  ['python3.11', ['manage.py', 'runserver'], 'python-manage'],
  ['python3', ['-c', 'print("secret")'], undefined],
  ['python3', ['-'], undefined],
  ['java', ['-Xmx1g', '-Dkey=secret', '-jar', '/opt/shop-1.2.jar'], 'shop-1.2'],
  ['java', ['-cp', '/opt/lib/*', 'com.acme.orders.OrderService', '--db', 'x'], 'OrderService'],
  ['ruby', ['/srv/bin/puma'], 'puma'],
  ['node', ['/srv/a b; rm -rf.js'], undefined],
  ['node', [], undefined],
];

for (const [executable, args, name] of SCRIPTS) {
  test(`${executable} ${args.join(' ')} is ${name ?? 'not named by a script'}`, () => {
    assert.equal(scriptName(executable, args), name);
  });
}

test('pods are called after what made them', () => {
  assert.equal(workloadOf('orders-7d4b9c8f6d-x2x9k'), 'orders');
  assert.equal(workloadOf('node-exporter-x2x9k'), 'node-exporter');
  assert.equal(workloadOf('kafka-2'), 'kafka');
  assert.equal(workloadOf('etcd'), 'etcd');
});
