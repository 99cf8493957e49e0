import { type CallTree, FrameKind } from '../core/flamegraph/call-tree.ts';
import { CallTreeBuilder } from '../core/flamegraph/call-tree-builder.ts';
import { layoutFlame } from '../core/flamegraph/layout.ts';
import { planFlame } from '../core/flamegraph/plan.ts';
import { topTable } from '../core/flamegraph/top-table.ts';
import { decodeTree, encodeTree } from '../core/flamegraph/tree-codec.ts';
import { newCompleteness } from '../core/query/completeness.ts';
import { type CallSite, Fleet } from './fleet.ts';
import { leastCost } from './measure.ts';
import type { Report } from './report.ts';

const NODES = 100_000;
const RUNS = 9;

/** What a large flame graph costs before its first pixel: build, send, read, lay out, plan. */
export async function benchFlamegraph(report: Report): Promise<void> {
  const fleet = new Fleet({ stacks: 6600, pods: 1 });
  const built = await leastCost(RUNS, () => build(fleet));
  const tree = built.result;
  if (tree.nameOf.length < NODES)
    throw new Error(`the tree has ${tree.nameOf.length} nodes, ${NODES} are wanted`);
  const nodes = `${tree.nameOf.length} nodes`;
  report.add({ name: `build a tree of ${nodes}`, value: built.ms, unit: 'ms' });
  const encoded = await leastCost(RUNS, () => encodeTree(tree, headerOf(fleet)));
  const asJson = await leastCost(RUNS, () => JSON.stringify(plain(tree)));
  report.add({
    name: 'encode it',
    value: encoded.ms,
    unit: 'ms',
    peer: { name: 'as JSON', value: asJson.ms },
  });
  report.add({
    name: 'size',
    value: encoded.result.length / 1024,
    unit: 'KiB',
    peer: { name: 'as JSON', value: asJson.result.length / 1024 },
  });
  const decoded = await leastCost(RUNS, () => decodeTree(encoded.result));
  const fromJson = await leastCost(RUNS, () => JSON.parse(asJson.result));
  report.add({
    name: 'decode and check it',
    value: decoded.ms,
    unit: 'ms',
    peer: { name: 'from JSON, unchecked', value: fromJson.ms },
  });
  const layout = await leastCost(RUNS, () => layoutFlame(tree));
  report.add({ name: 'lay it out', value: layout.ms, unit: 'ms' });
  const viewport = { x0: 0, x1: 1, width: 1400, height: 900, scrollTop: 0, rowHeight: 20 };
  const plan = await leastCost(RUNS, () => planFlame(layout.result, viewport));
  report.add({
    name: 'plan what is seen of it',
    value: plan.ms,
    unit: 'ms',
    note: `${plan.result.count} rectangles`,
  });
  const top = await leastCost(RUNS, () => topTable(tree));
  report.add({ name: 'top table of it', value: top.ms, unit: 'ms' });
}

function build(fleet: Fleet): CallTree {
  const builder = new CallTreeBuilder({ scale: 50_000_000, unit: 'nanoseconds' });
  const names = new Map<CallSite, number>();
  const nameOf = (site: CallSite) => {
    let name = names.get(site);
    // Lines keep paths apart that names alone would join.
    if (name === undefined)
      names.set(site, (name = builder.name(`${site.name}:${site.line}`, FrameKind.native, site.module)));
    return name;
  };
  fleet.paths.forEach((path, index) => {
    let node = 0;
    for (const site of path) node = builder.child(node, nameOf(site));
    builder.addSelf(node, 1 + Math.floor(10_000 / (index + 1)));
  });
  return builder.build();
}

function headerOf(fleet: Fleet) {
  const nothingTrimmed = { nodes: 0, value: 0 };
  const range = { start: 0, end: 3_600_000 };
  const { profileType } = fleet;
  return {
    profileType,
    ...range,
    total: '0',
    trimmed: nothingTrimmed,
    rounded: false,
    completeness: newCompleteness(),
  };
}

/** The same columns as plain arrays. */
function plain({ names, modules, kinds, moduleOf, nameOf, level, self }: CallTree) {
  const columns = { kinds, moduleOf, nameOf, level, self };
  const arrays = Object.entries(columns).map(([name, column]) => [name, Array.from(column)]);
  return { names, modules, ...Object.fromEntries(arrays) };
}
