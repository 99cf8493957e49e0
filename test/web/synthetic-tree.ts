import { type CallTree, FrameKind } from '../../core/flamegraph/call-tree.ts';
import { CallTreeBuilder } from '../../core/flamegraph/call-tree-builder.ts';
import { seededRandom } from '../core/flamegraph/random-trees.ts';

interface Function {
  name: string;
  kind: FrameKind;
  module: string;
  calls: number[];
}

const GO_PACKAGES = [
  'net/http',
  'encoding/json',
  'github.com/acme/payments/internal/ledger',
  'github.com/acme/payments/api',
  'google.golang.org/grpc',
  'database/sql',
  'bytes',
  'strings',
  'crypto/tls',
];
const TYPES = ['(*conn)', '(*Server)', '(*decodeState)', '(*Ledger)', '(*Tx)', '(*Client)', ''];
const VERBS = [
  'Serve',
  'Handle',
  'Read',
  'Write',
  'Decode',
  'Encode',
  'Commit',
  'Lookup',
  'Flush',
  'Parse',
  'Next',
];
const KERNEL = ['do_syscall_64', 'tcp_sendmsg', 'tcp_recvmsg', 'copy_user_enhanced', 'schedule', 'vfs_read'];
const RUNTIME = ['runtime.mallocgc', 'runtime.gcBgMarkWorker', 'runtime.scanobject', 'runtime.findRunnable'];

/** A call graph in which few functions call many and most call one: what real programs look like. */
function callGraph(random: () => number, count: number): Function[] {
  const functions: Function[] = [
    { name: 'runtime.main', kind: FrameKind.runtime, module: 'payments', calls: [] },
  ];
  for (let i = 1; i < count; i++) functions.push(someFunction(random, i));
  for (let i = 0; i < count; i++) {
    const calls = random() < 0.58 ? 1 : 1 + Math.floor(random() * 7);
    for (let k = 0; k < calls; k++) functions[i].calls.push(1 + Math.floor(random() ** 2 * (count - 1)));
  }
  return functions;
}

function someFunction(random: () => number, i: number): Function {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const share = random();
  if (share < 0.1)
    return { name: `${pick(KERNEL)}${i % 7 || ''}`, kind: FrameKind.kernel, module: 'vmlinux', calls: [] };
  if (share < 0.18)
    return { name: `${pick(RUNTIME)}${i % 5 || ''}`, kind: FrameKind.runtime, module: 'payments', calls: [] };
  if (share < 0.3) {
    const name = `std::vector<acme::Entry, std::allocator<acme::Entry>>::${pick(VERBS).toLowerCase()}_${i}(unsigned long)`;
    return { name, kind: FrameKind.native, module: '/usr/lib/libledger.so', calls: [] };
  }
  if (share < 0.4) {
    const name = `com.acme.search.index.${pick(VERBS)}er${i % 40}.${pick(VERBS).toLowerCase()}${i}`;
    return { name, kind: FrameKind.jit, module: '', calls: [] };
  }
  if (share < 0.43)
    return {
      name: `0x${(0x7f00_0000 + i * 64).toString(16)}`,
      kind: FrameKind.unknown,
      module: '',
      calls: [],
    };
  const type = pick(TYPES);
  const name = `${pick(GO_PACKAGES)}.${type}${type && '.'}${pick(VERBS)}${i}`;
  return { name, kind: FrameKind.native, module: '/app/payments', calls: [] };
}

/** Random walks over a call graph until the tree has `nodes` nodes. */
export function syntheticTree(nodes: number, seed = 1, functions = 5500): CallTree {
  const random = seededRandom(seed);
  const graph = callGraph(seededRandom(99), functions);
  const builder = new CallTreeBuilder({ scale: 10_000_000, unit: 'nanoseconds' });
  const ids = graph.map(({ name, kind, module }) => builder.name(name, kind, module));
  while (builder.nodes < nodes) {
    let at = 0;
    let node = builder.child(0, ids[0]);
    const depth = 4 + Math.floor(random() ** 2 * 90);
    for (let level = 0; level < depth && builder.nodes < nodes; level++) {
      const { calls } = graph[at];
      at = calls[Math.floor(random() ** 3 * calls.length)];
      node = builder.child(node, ids[at]);
      if (random() < 0.03) break;
    }
    builder.addSelf(node, 1 + Math.floor(random() ** 6 * 60));
  }
  return builder.build();
}

/** One stack, `depth` frames deep. */
export function deepTree(depth: number): CallTree {
  const builder = new CallTreeBuilder({ scale: 1, unit: 'count' });
  let node = 0;
  for (let level = 0; level < depth; level++) {
    node = builder.child(node, builder.name(`pkg${level % 9}.recurse${level % 31}`, FrameKind.native, 'app'));
    if (level % 500 === 0) builder.addSelf(node, 1);
  }
  builder.addSelf(node, 1000);
  return builder.build();
}
