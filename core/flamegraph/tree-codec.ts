import { MalformedInputError } from '../errors.ts';
import { ByteReader } from '../wire/byte-reader.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { type CallTree, FrameKind } from './call-tree.ts';
import { readHeader, type TreeHeader } from './tree-header.ts';
import type { SideColumns, TreeSides } from './tree-sides.ts';

// Tree wire format "CBT1": magic, u32 length + header JSON, then columns, each with its u32 byte length before it:
//   1 modules      count, then each length + UTF-8          5 nodeNames   varint per node, preorder
//   2 names        count, lengths, then all UTF-8 bytes     6 nodeLevels  zigzag varint delta to the row before
//   3 nameKinds    u8 per name                              7 self        varint per node
//   4 nameModules  varint per name                          8 selfRight   varint per node, only in a diff
// Parent, end and total are derived, not sent.

const MAGIC = [0x43, 0x42, 0x54, 0x31];
const MAX_TEXT_BYTES = 1 << 24;
const FRAME_KINDS = Object.keys(FrameKind).length;

/** The header's `nodes`, `unit`, `scale` and `diff` are taken from the tree, whatever the argument says. */
export function encodeTree(
  sides: TreeSides | CallTree,
  header: Omit<TreeHeader, 'nodes' | 'unit' | 'scale' | 'diff'>,
): Uint8Array {
  const { tree, right } = 'tree' in sides ? sides : { tree: sides, right: undefined };
  const whole: TreeHeader = {
    ...header,
    unit: tree.unit,
    scale: tree.scale,
    nodes: tree.nameOf.length,
    diff: right !== undefined,
  };
  const out = new ByteWriter(tree.nameOf.length * 4 + 1024);
  for (const byte of MAGIC) out.u8(byte);
  column(out, (to) => to.bytes(new TextEncoder().encode(JSON.stringify(whole))));
  column(out, (to) => writeModules(to, tree.modules));
  column(out, (to) => writeNames(to, tree.names));
  column(out, (to) => to.bytes(tree.kinds));
  column(out, (to) => writeNumbers(to, tree.moduleOf));
  column(out, (to) => writeNumbers(to, tree.nameOf));
  column(out, (to) => {
    for (let row = 0; row < tree.level.length; row++) {
      to.zigzag(row === 0 ? 0 : tree.level[row] - tree.level[row - 1]);
    }
  });
  column(out, (to) => writeNumbers(to, tree.self));
  if (right) column(out, (to) => writeNumbers(to, right.self));
  return out.finish();
}

function column(out: ByteWriter, write: (to: ByteWriter) => void): void {
  const content = new ByteWriter(4096);
  write(content);
  out.u32(content.length);
  out.bytes(content.view());
}

function writeModules(to: ByteWriter, modules: readonly string[]): void {
  to.varint(modules.length);
  for (const module of modules) to.text(module);
}

function writeNames(to: ByteWriter, names: readonly string[]): void {
  const encoder = new TextEncoder();
  const encoded = names.map((name) => encoder.encode(name));
  to.varint(names.length);
  for (const bytes of encoded) to.varint(bytes.length);
  for (const bytes of encoded) to.bytes(bytes);
}

function writeNumbers(to: ByteWriter, values: Uint32Array | Float64Array): void {
  for (let i = 0; i < values.length; i++) to.varint(values[i]);
}

export interface DecodedTree extends TreeSides {
  header: TreeHeader;
}

/**
 * Reads a tree from bytes that nobody vouches for.
 * @throws MalformedInputError and nothing else, however the bytes are broken.
 */
export function decodeTree(bytes: Uint8Array): DecodedTree {
  const input = new ByteReader(bytes, 'tree');
  for (const byte of MAGIC) if (input.u8() !== byte) input.fail('does not start with "CBT1"');
  const header = readHeader(nextColumn(input));
  const modules = readModules(nextColumn(input));
  const names = readNames(nextColumn(input));
  const kinds = readKinds(nextColumn(input), names.length);
  const moduleOf = readIndices(nextColumn(input), names.length, modules.length);
  const nameOf = readIndices(nextColumn(input), header.nodes, names.length);
  if (nameOf[0] !== 0) input.fail('the first row is not the root');
  const level = readLevels(nextColumn(input), header.nodes);
  const parent = parentsOf(level);
  const left = readSide(nextColumn(input), parent);
  const right = header.diff ? readSide(nextColumn(input), parent) : undefined;
  input.expectEnd();
  const shape = { names, kinds, moduleOf, modules, nameOf, level, parent, end: endsOf(level, parent) };
  const tree: CallTree = { ...shape, ...left, scale: header.scale, unit: header.unit };
  return { header, tree, ...(right && { right }) };
}

function nextColumn(input: ByteReader): ByteReader {
  const length = input.u32();
  input.need(length);
  const from = input.offset;
  input.offset += length;
  return new ByteReader(input.bytes, 'tree', from, from + length);
}

function readModules(from: ByteReader): string[] {
  const count = from.count();
  const modules: string[] = [];
  for (let i = 0; i < count; i++) modules.push(readUtf8(from, from.varint()));
  from.expectEnd();
  if (count === 0) from.fail('has no modules, the first must be ""');
  return modules;
}

/** Names are sliced out of one decoded text where all are ASCII, which most trees are: ten times as fast. */
function readNames(from: ByteReader): string[] {
  const count = from.count();
  if (count === 0) from.fail('has no names, the first must be the root');
  const lengths = new Uint32Array(count);
  for (let i = 0; i < count; i++) lengths[i] = from.index(MAX_TEXT_BYTES);
  const bytes = from.bytes.subarray(from.offset, from.end);
  const whole = decodeUtf8(from, bytes);
  const ascii = whole.length === bytes.length;
  const names: string[] = [];
  for (let i = 0, at = 0; i < count; i++) {
    from.need(lengths[i]);
    names.push(
      ascii ? whole.slice(at, at + lengths[i]) : decodeUtf8(from, bytes.subarray(at, at + lengths[i])),
    );
    at += lengths[i];
    from.offset += lengths[i];
  }
  from.expectEnd();
  return names;
}

function readUtf8(from: ByteReader, length: number): string {
  return decodeUtf8(from, from.take(length));
}

function decodeUtf8(from: ByteReader, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new MalformedInputError('tree', 'has a text that is not UTF-8', from.offset, { cause });
  }
}

function readKinds(from: ByteReader, names: number): Uint8Array {
  const kinds = from.take(names).slice();
  from.expectEnd();
  for (const kind of kinds) if (kind >= FRAME_KINDS) from.fail(`frame kind ${kind} is unknown`);
  return kinds;
}

function readIndices(from: ByteReader, count: number, limit: number): Uint32Array {
  checkCount(from, count);
  const values = new Uint32Array(count);
  for (let i = 0; i < count; i++) values[i] = from.index(limit);
  from.expectEnd();
  return values;
}

/** Every entry takes at least a byte, so a promise of more entries than bytes allocates nothing. */
function checkCount(from: ByteReader, count: number): void {
  if (count > from.remaining) from.fail(`promises ${count} entries in ${from.remaining} bytes`);
}

function readLevels(from: ByteReader, count: number): Uint32Array {
  checkCount(from, count);
  const level = new Uint32Array(count);
  for (let row = 0; row < count; row++) {
    const delta = from.zigzag();
    const next = row === 0 ? delta : level[row - 1] + delta;
    const lowest = row === 0 ? 0 : 1;
    const highest = row === 0 ? 0 : level[row - 1] + 1;
    if (next < lowest || next > highest)
      from.fail(`row ${row} has level ${next} after ${row && level[row - 1]}`);
    level[row] = next;
  }
  from.expectEnd();
  return level;
}

/** Totals come last to first, so that every child is summed before its parent. */
function readSide(from: ByteReader, parent: Uint32Array): SideColumns {
  checkCount(from, parent.length);
  const self = new Float64Array(parent.length);
  for (let row = 0; row < self.length; row++) self[row] = from.varint();
  from.expectEnd();
  const total = self.slice();
  for (let row = total.length - 1; row > 0; row--) total[parent[row]] += total[row];
  if (total[0] > Number.MAX_SAFE_INTEGER) from.fail('the total passes 2^53');
  return { self, total };
}

/** Row of each row's parent: the last row before it that is one level higher. */
function parentsOf(level: Uint32Array): Uint32Array {
  const parent = new Uint32Array(level.length);
  for (let row = 1; row < level.length; row++) {
    let above = row - 1;
    while (level[above] >= level[row]) above = parent[above];
    parent[row] = above;
  }
  return parent;
}

/** One past the last row of each subtree. */
function endsOf(level: Uint32Array, parent: Uint32Array): Uint32Array {
  const end = new Uint32Array(level.length);
  for (let row = level.length - 1; row >= 0; row--) {
    if (end[row] === 0) end[row] = row + 1;
    if (row > 0 && end[parent[row]] < end[row]) end[parent[row]] = end[row];
  }
  return end;
}
