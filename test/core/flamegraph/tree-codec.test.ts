import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedInputError } from '../../../core/errors.ts';
import { decodeTree, encodeTree } from '../../../core/flamegraph/tree-codec.ts';
import { aHeader, treeOf } from './random-trees.ts';

const tree = treeOf([
  { stack: ['größe', 'b'], value: 2 ** 40 },
  { stack: ['größe'], value: Number.MAX_SAFE_INTEGER - 2 ** 40 },
]);

test('starts with magic and header, as documented', () => {
  const bytes = encodeTree(tree, aHeader(tree));
  assert.equal(new TextDecoder().decode(bytes.subarray(0, 4)), 'CBT1');
  const length = new DataView(bytes.buffer).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  assert.equal(header.nodes, 3);
  assert.equal(header.total, '9007199254740991');
});

test('names that are not ASCII and values up to 2^53 − 1 survive', () => {
  const decoded = decodeTree(encodeTree(tree, aHeader(tree)));
  assert.deepEqual(decoded.tree, tree);
});

/** A tree file put together column by column. */
function file(header: object, ...columns: number[][]): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const out = [...new TextEncoder().encode('CBT1')];
  for (const bytes of [[...text], ...columns]) {
    out.push(bytes.length & 255, bytes.length >> 8, 0, 0, ...bytes);
  }
  return Uint8Array.from(out);
}

const header = { ...aHeader(tree), unit: 'count', scale: 1, nodes: 2, diff: false };
const columns = {
  modules: [1, 0],
  names: [2, 1, 1, 0x74, 0x66],
  kinds: [0, 1],
  moduleOf: [0, 0],
  nameOf: [0, 1],
  level: [0, 2],
  self: [0, 5],
};

function decodeWith(change: Partial<typeof columns>, headerChange: object = {}) {
  return decodeTree(file({ ...header, ...headerChange }, ...Object.values({ ...columns, ...change })));
}

test('the hand-made file is read', () => {
  const decoded = decodeWith({});
  assert.deepEqual(decoded.tree.names, ['t', 'f']);
  assert.deepEqual([...decoded.tree.total], [5, 5]);
});

const refused: [string, () => unknown][] = [
  ['another magic', () => decodeTree(new Uint8Array(64))],
  ['empty input', () => decodeTree(new Uint8Array(0))],
  ['a name beyond the table', () => decodeWith({ nameOf: [0, 2] })],
  ['a module beyond the table', () => decodeWith({ moduleOf: [0, 1] })],
  ['an unknown kind', () => decodeWith({ kinds: [0, 200] })],
  ['a level that skips one', () => decodeWith({ level: [0, 4] })],
  ['a second root', () => decodeWith({ level: [0, 0] })],
  ['a first row that is not the root', () => decodeWith({ nameOf: [1, 1] })],
  ['more nodes than bytes', () => decodeWith({}, { nodes: 2 ** 40 })],
  ['fewer nodes than bytes', () => decodeWith({}, { nodes: 1 })],
  ['no nodes', () => decodeWith({}, { nodes: 0 })],
  ['a scale of 0', () => decodeWith({}, { scale: 0 })],
  ['a name longer than its column', () => decodeWith({ names: [2, 1, 9, 0x74, 0x66] })],
  ['a name count beyond its column', () => decodeWith({ names: [100, 1, 1, 0x74, 0x66] })],
  ['bytes that are not UTF-8', () => decodeWith({ names: [2, 1, 1, 0x74, 0xff] })],
  ['a value beyond 2^53', () => decodeWith({ self: [0, 255, 255, 255, 255, 255, 255, 255, 255, 1] })],
  ['a diff without its right side', () => decodeWith({}, { diff: true })],
  ['a header that is no object', () => decodeTree(file([], ...Object.values(columns)))],
  ['a header without completeness', () => decodeWith({}, { completeness: undefined })],
];

for (const [what, attempt] of refused) {
  test(`refuses ${what}`, () => assert.throws(attempt, MalformedInputError));
}
