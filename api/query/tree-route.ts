import { diffTrees } from '../../core/flamegraph/diff.ts';
import { encodeTree } from '../../core/flamegraph/tree-codec.ts';
import type { DiffSide } from '../../core/flamegraph/tree-header.ts';
import { sidesOfDiff } from '../../core/flamegraph/tree-sides.ts';
import { trimSides } from '../../core/flamegraph/trim.ts';
import { bothComplete, type Completeness } from '../../core/query/completeness.ts';
import { type Selection, selectTree } from '../../pipeline/run-query.ts';
import { acceptsGzip } from '../accept-encoding.ts';
import { gzip } from '../gunzip.ts';
import type { Call, Route } from '../route.ts';
import { countIn, selectionIn } from './request-selection.ts';

export const TREE_CONTENT_TYPE = 'application/vnd.cinderblock.tree';

/** Half a million nodes are 2 MB on the wire and settle in a quarter of a second; fewer would hide much of wide trees. */
const MAX_NODES_DEFAULT = 524_288;
const MAX_NODES_MAX = 0xffff_ffff;

/** Denser levels cost the page more time in waiting than they save in loading. */
const GZIP_LEVEL = 3;

/** The columnar tree of the web page, or of two selections together. */
export const treeRoutes: Route[] = [
  { method: 'GET', path: '/v1/tree', permission: 'query', handle: getTree },
];

async function getTree(call: Call): Promise<Response> {
  const { query } = call;
  const maxNodes = countIn(query, 'max_nodes', MAX_NODES_MAX) ?? MAX_NODES_DEFAULT;
  const limit = maxNodes === 0 ? Number.MAX_SAFE_INTEGER : maxNodes;
  const isDiff = query.has('diff_selector') || query.has('diff_start') || query.has('diff_end');
  const bytes = isDiff ? await diffBytes(call, limit) : await treeBytes(call, limit);
  const headers = { 'content-type': TREE_CONTENT_TYPE, 'cache-control': 'no-store', vary: 'accept-encoding' };
  if (!acceptsGzip(call.request)) return new Response(bytes.slice(), { headers });
  return new Response(gzip(bytes, GZIP_LEVEL), { headers: { ...headers, 'content-encoding': 'gzip' } });
}

async function treeBytes({ hub, query }: Call, limit: number): Promise<Uint8Array> {
  const selection = selectionIn(query);
  const { tree, total, rounded, completeness } = await selectTree(hub, selection);
  const { sides, trimmed } = trimSides({ tree }, limit);
  const { profileType, start, end } = selection;
  return encodeTree(sides, {
    ...{ profileType, start, end, trimmed, completeness },
    total: String(total),
    rounded,
  });
}

async function diffBytes({ hub, query }: Call, limit: number): Promise<Uint8Array> {
  const selections = [selectionIn(query), selectionIn(query, 'diff_')] as const;
  const [left, right] = await Promise.all(selections.map((selection) => selectTree(hub, selection)));
  const diff = diffTrees(left!.tree, right!.tree);
  const { sides, trimmed } = trimSides(sidesOfDiff(diff), limit);
  const { profileType, start, end } = selections[0];
  return encodeTree(sides, {
    ...{ profileType, start, end, trimmed },
    completeness: bothComplete(left!.completeness, right!.completeness),
    total: String(left!.total + right!.total),
    rounded: diff.rounded || left.rounded || right.rounded,
    left: sideOf(selections[0], left!),
    right: sideOf(selections[1], right!),
  });
}

function sideOf(
  { start, end, selector }: Selection,
  { total, completeness }: { total: bigint; completeness: Completeness },
): DiffSide {
  return { start, end, selector, total: String(total), coveredMs: completeness.coveredMs };
}
