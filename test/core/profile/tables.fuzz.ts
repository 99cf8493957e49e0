import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StackTable } from '../../../core/profile/stack-table.ts';
import { StringColumn, StringTable } from '../../../core/profile/string-table.ts';
import { TupleTable } from '../../../core/profile/tuple-table.ts';
import { fuzzOptions } from '../fuzz-options.ts';

// Law of all tables: equal content has one number, other content another, numbers count up in order of first sight, and
// what was put in can be read back. Held against maps of texts.

/** Few distinct values, so that they repeat, in numbers that make tables grow. */
const few = fc.integer({ min: 0, max: 40 });

test('strings', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 4 }),
    fc.constantFrom('a', 'aaaa', 'aaaab', 'aaaaa', 'baaaa'),
    fc.string({ minLength: 40, maxLength: 90 }),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 600 }), (texts) => {
      const table = new StringTable();
      const model = new Map([['', 0]]);
      for (const each of texts.map((raw) => raw.toWellFormed())) {
        if (!model.has(each)) model.set(each, model.size);
        assert.equal(table.internText(each), model.get(each));
      }
      assert.equal(table.count, model.size);
      for (const [each, id] of model) {
        assert.equal(table.text(id), each);
        assert.equal(table.find(each), id);
        assert.deepEqual(table.bytesOf(id), new TextEncoder().encode(each));
        assert.equal(table.lengthOf(id), table.bytesOf(id).length);
      }
      assert.equal(table.find('\0not there'), -1);
    }),
    fuzzOptions(100),
  );
});

test('strings are bytes: what is not UTF-8 stays apart, from wherever it is read', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 9 }), { maxLength: 60 }), (parts) => {
      const table = new StringTable();
      const source = Uint8Array.from(parts.flatMap((part) => [...part]));
      let at = 0;
      const model = new Map([['', 0]]);
      for (const part of parts) {
        const key = part.join();
        if (!model.has(key)) model.set(key, model.size);
        assert.equal(table.intern(source, at, at + part.length), model.get(key));
        assert.deepEqual([...table.bytesOf(model.get(key)!)], [...part]);
        at += part.length;
      }
    }),
    fuzzOptions(300),
  );
});

test('tuples', () => {
  const number = fc.oneof(few, fc.constantFrom(0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff));
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.array(number, { minLength: 9, maxLength: 9 }), { maxLength: 400 }),
      (width, tuples) => {
        const table = new TupleTable(width, 4);
        const model = new Map([[new Array(width).fill(0).join(), 0]]);
        for (const tuple of tuples) {
          const key = tuple.slice(0, width).join();
          if (!model.has(key)) model.set(key, model.size);
          assert.equal(table.intern(Uint32Array.from(tuple)), model.get(key));
        }
        assert.equal(table.count, model.size);
        for (const [key, id] of model)
          assert.equal(Array.from({ length: width }, (_, column) => table.at(id, column)).join(), key);
      },
    ),
    fuzzOptions(150),
  );
});

test('stacks, frame by frame and a path at a time', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(few, { maxLength: 12 }), { maxLength: 300 }),
      fc.func(fc.boolean()),
      (paths, byPath) => {
        const table = new StackTable(4);
        const model = new Map([['', 0]]);
        for (const path of [...paths, ...paths]) {
          for (let depth = 1; depth <= path.length; depth++) {
            const key = path.slice(0, depth).join();
            if (!model.has(key)) model.set(key, model.size);
          }
          const stack = byPath(path.join())
            ? table.addPath(Int32Array.from([...path, 99]), path.length)
            : path.reduce((node, frame) => table.child(node, frame), 0);
          assert.equal(stack, model.get(path.join()));
        }
        assert.equal(table.count, model.size);
        const depths = table.depths();
        for (const [key, node] of model) {
          const path: number[] = [];
          for (let at = node; at !== 0; at = table.parents[at]!) {
            assert.ok(table.parents[at]! < at, 'parents come before children');
            path.push(table.frames[at]!);
          }
          assert.equal(path.reverse().join(), key);
          assert.equal(depths[node], path.length);
        }
      },
    ),
    fuzzOptions(200),
  );
});

test('the stacks of another table, all of them or those that are wanted', () => {
  const paths = fc.array(fc.array(few, { maxLength: 12 }), { maxLength: 120 });
  fc.assert(
    fc.property(
      fc.array(paths, { minLength: 1, maxLength: 4 }),
      fc.func(fc.boolean()),
      (tables, isWanted) => {
        const [added, model] = [new StackTable(4), new StackTable(4)];
        for (const ofTable of tables) {
          const from = new StackTable(4);
          for (const path of ofTable) from.addPath(Int32Array.from(path), path.length);
          const frameOf = Uint32Array.from({ length: 41 }, (_, frame) => (frame * 7) % 13);
          const wanted = wantedWithParents(from, isWanted);
          const stackOf = added.addAll(from, frameOf, wanted);
          const expected = new Uint32Array(from.count);
          for (let stack = 1; stack < from.count; stack++) {
            if (wanted?.[stack] === 0) continue;
            expected[stack] = model.child(expected[from.parents[stack]!]!, frameOf[from.frames[stack]!]!);
          }
          assert.deepEqual(stackOf, expected);
          assert.equal(added.count, model.count);
        }
      },
    ),
    fuzzOptions(200),
  );
});

/** Undefined (all of them) now and then. */
function wantedWithParents(from: StackTable, isWanted: (stack: number) => boolean): Uint8Array | undefined {
  if (isWanted(0)) return undefined;
  const wanted = new Uint8Array(from.count);
  for (let stack = from.count - 1; stack > 0; stack--) {
    if (isWanted(stack)) wanted[stack] = 1;
    if (wanted[stack] === 1) wanted[from.parents[stack]!] = 1;
  }
  return wanted;
}

test('a text that is not kept is the text that is', () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('plain', 'süß', '\ufeffmarked', '\ufffd', '\0'));
  const bytes = fc.oneof(
    text.map((each) => new TextEncoder().encode(each.toWellFormed())),
    fc.uint8Array({ maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 8 }), (strings) => {
      const starts = [0, 0];
      for (const each of strings) starts.push(starts.at(-1)! + each.length);
      const column = new StringColumn(
        Uint8Array.from(strings.flatMap((each) => [...each])),
        Uint32Array.from(starts),
      );
      for (let id = 0; id < column.count; id++) assert.equal(column.passingText(id), column.text(id));
    }),
    fuzzOptions(500),
  );
});
