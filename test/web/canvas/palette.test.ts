import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameKind } from '../../../core/flamegraph/call-tree.ts';
import { CallTreeBuilder } from '../../../core/flamegraph/call-tree-builder.ts';
import { contrast, fromHex, toHex, toRgb } from '../../../web/src/canvas/oklch.ts';
import { changeIndex, colorNames, makePalette } from '../../../web/src/canvas/palette.ts';

test('OKLCH gives the colours of its definition', () => {
  assert.equal(toHex(toRgb({ lightness: 1, chroma: 0, hue: 0 })), '#ffffff');
  assert.equal(toHex(toRgb({ lightness: 0, chroma: 0, hue: 0 })), '#000000');
  const red = toRgb({ lightness: 0.62796, chroma: 0.25768, hue: 29.234 });
  for (const [i, channel] of [255, 0, 0].entries()) assert.ok(Math.abs(red[i] - channel) <= 8, toHex(red));
});

test('contrast is that of WCAG', () => {
  assert.equal(contrast(fromHex('#000000'), fromHex('#ffffff')), 21);
  assert.ok(Math.abs(contrast(fromHex('#767676'), fromHex('#ffffff')) - 4.54) < 0.01);
});

for (const dark of [false, true]) {
  test(`every label is readable in the ${dark ? 'dark' : 'light'} theme`, () => {
    const palette = makePalette(dark);
    const check = (fill: string, text: string) => {
      const ratio = contrast(fromHex(fill), fromHex(text));
      assert.ok(ratio >= 4.5, `${text} on ${fill} has ${ratio.toFixed(2)}`);
    };
    for (const fill of palette.fills) check(fill, palette.text);
    for (const fill of palette.dimFills) check(fill, palette.dimText);
    check(palette.match, palette.matchText);
  });
}

test('no package is coloured like a match or an error', () => {
  const palette = makePalette(false);
  const match = fromHex(palette.match);
  for (const fill of palette.fills) {
    const distance = Math.hypot(...fromHex(fill).map((channel, i) => channel - match[i]));
    assert.ok(distance > 90, `${fill} is close to the colour of a match`);
  }
});

test('a package has one hue in every tree; kinds have fixed ones', () => {
  const tree = (names: [string, FrameKind][]) => {
    const builder = new CallTreeBuilder({ scale: 1, unit: 'count' });
    for (const [name, kind] of names) builder.addSelf(builder.child(0, builder.name(name, kind, '')), 1);
    return builder.build();
  };
  const colorOf = (names: [string, FrameKind][], name: string, mode: 'package' | 'kind' = 'package') => {
    const made = tree(names);
    return colorNames(made, mode)[made.names.indexOf(name)];
  };
  const a = colorOf([['net/http.Serve', FrameKind.native]], 'net/http.Serve');
  const b = colorOf(
    [
      ['os.Open', FrameKind.native],
      ['net/http.Serve', FrameKind.native],
    ],
    'net/http.Serve',
  );
  assert.equal(a, b);
  assert.equal(
    colorOf([['schedule', FrameKind.kernel]], 'schedule'),
    colorOf([['vfs_read', FrameKind.kernel]], 'vfs_read'),
  );
  assert.notEqual(
    colorOf([['x', FrameKind.jit]], 'x', 'kind'),
    colorOf([['x', FrameKind.native]], 'x', 'kind'),
  );
});

test('changes go from blue over grey to red, step by step', () => {
  const { fills } = makePalette(false);
  const steps = [-1, -0.5, -0.1, 0, 0.1, 0.5, 1].map((change) => changeIndex(change));
  assert.deepEqual(
    [...steps].sort((x, y) => x - y),
    steps,
  );
  assert.ok(steps.every((index) => fills[index] !== undefined));
  const [r, , blue] = fromHex(fills[changeIndex(1)]);
  assert.ok(r > blue, 'more is red');
  const [r2, , blue2] = fromHex(fills[changeIndex(-1)]);
  assert.ok(blue2 > r2, 'less is blue');
  assert.equal(changeIndex(0.005), changeIndex(0));
});
