import assert from 'node:assert/strict';
import { test } from 'node:test';
import { percent, quantity, timeText } from '../../cli/quantity.ts';
import { treeText } from '../../cli/query/tree-text.ts';
import { textTable } from '../../cli/text-table.ts';
import { FrameKind } from '../../core/flamegraph/call-tree.ts';
import { CallTreeBuilder } from '../../core/flamegraph/call-tree-builder.ts';

test('values are shown in the unit that reads best', () => {
  assert.equal(quantity(1_250_000_000, 'nanoseconds'), '1.25 s');
  assert.equal(quantity(90, 'seconds'), '1.50 min');
  assert.equal(quantity(0, 'nanoseconds'), '0 ns');
  assert.equal(quantity(3 * 2 ** 20, 'bytes'), '3 MiB');
  assert.equal(quantity(12_345, 'count'), '12,345');
  assert.equal(quantity(7, 'goroutines'), '7 goroutines');
  assert.equal(percent(1, 3), '33.3%');
  assert.equal(percent(0, 0), '0.0%');
  assert.equal(timeText(1_763_717_400_000), '2025-11-21T09:30:00Z');
});

test('a table is aligned, cut at the width, and lets no control character through', () => {
  const text = textTable(
    [{ title: 'name' }, { title: 'n', align: 'right' }],
    [
      ['a\x1b[31m', '5'],
      ['bcd', '10'],
    ],
    9,
  );
  assert.deepEqual(text.split('\n'), ['name    …', 'a [31m  …', 'bcd     …', '']);
});

test('a tree shows shares, hides what is small or deep, and says how much that was', () => {
  const builder = new CallTreeBuilder({ scale: 1_000_000, unit: 'nanoseconds' });
  const name = (text: string) => builder.name(text, FrameKind.native, 'app');
  const main = builder.child(0, name('main'));
  builder.addSelf(builder.child(main, name('work')), 900);
  builder.addSelf(builder.child(main, name('rare')), 1);
  builder.addSelf(main, 99);
  const lines = (options: { minPercent: number; depth: number; width: number }) => [
    ...treeText(builder.build(), options),
  ];
  assert.deepEqual(lines({ minPercent: 0.5, depth: 9, width: 60 }), [
    ' total    self       value  name\n',
    '100.0%    0.0%         1 s  total\n',
    '100.0%    9.9%         1 s    main (app)\n',
    '  0.1%                1 ms      … 1 more\n',
    ' 90.0%   90.0%      900 ms      work (app)\n',
  ]);
  assert.deepEqual(lines({ minPercent: 0, depth: 1, width: 30 }).slice(2), [
    '100.0%    9.9%         1 s   …\n',
    ' 90.1%              901 ms   …\n',
  ]);
});
