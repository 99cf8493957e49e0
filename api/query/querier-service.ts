import { create, fromBinary } from '@bufbuild/protobuf';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { RejectedError } from '../../core/errors.ts';
import type { CallTree } from '../../core/flamegraph/call-tree.ts';
import { flameLevels, flameLevelsOfDiff } from '../../core/flamegraph/flame-levels.ts';
import type { Labels } from '../../core/labels/labels.ts';
import { bothComplete } from '../../core/query/completeness.ts';
import type { Hub } from '../../pipeline/hub.ts';
import {
  listLabelNames,
  listLabelValues,
  listProfileTypes,
  listSeries,
  profileStats,
} from '../../pipeline/list-labels.ts';
import { selectPprof, selectSeries, selectTree } from '../../pipeline/run-query.ts';
import { callOf } from '../connect-call.ts';
import { HttpError } from '../error-response.ts';
import { type Profile, ProfileSchema } from '../gen/google/v1/profile_pb.js';
import {
  ProfileFormat,
  type QuerierService,
  type SelectMergeStacktracesRequest,
  SelectMergeStacktracesRequestSchema,
} from '../gen/querier/v1/querier_pb.js';
import { TimeSeriesAggregationType } from '../gen/types/v1/types_pb.js';
import { keepCallSite } from './call-site.ts';
import { noteCompleteness } from './completeness-header.ts';
import { plainSelector } from './plain-selector.ts';
import { maxNodesOf, trimmedDiff, trimmedTo } from './select-flamegraph.ts';
import { queryRange } from './time-range.ts';
import { treeBytes } from './tree-bytes.ts';

/** The service that Grafana's data source, Profiles Drilldown and profilecli call. */
export const querierService: ServiceImpl<typeof QuerierService> = {
  async profileTypes({ start, end }, context) {
    const { hub } = callOf(context);
    const types = await listProfileTypes(hub, queryRange(start, end, hub.clock()));
    return { profileTypes: types.map(({ id, ...type }) => ({ ID: id, ...type })) };
  },

  async labelNames({ matchers, start, end }, context) {
    const { hub } = callOf(context);
    const request = { matchers, ...queryRange(start, end, hub.clock()) };
    return { names: await listLabelNames(hub, request, (found) => noteCompleteness(context, found)) };
  },

  async labelValues({ name, matchers, start, end }, context) {
    const { hub } = callOf(context);
    if (name === '') throw new RejectedError('invalid', 'name of the label is missing');
    const request = { name, matchers, ...queryRange(start, end, hub.clock()) };
    return { names: await listLabelValues(hub, request, (found) => noteCompleteness(context, found)) };
  },

  async series({ matchers, labelNames, start, end }, context) {
    const { hub } = callOf(context);
    const request = { matchers, labelNames, ...queryRange(start, end, hub.clock()) };
    const sets = await listSeries(hub, request, (found) => noteCompleteness(context, found));
    return { labelsSet: sets.map((labels) => ({ labels: toPairs(labels) })) };
  },

  selectMergeStacktraces: async (request, context) => {
    const { hub } = callOf(context);
    refuseSelectors(request);
    switch (request.format) {
      case ProfileFormat.DOT:
        throw unimplemented('format DOT');
      case ProfileFormat.PPROF:
        return { pprof: { profile: await profileOf(hub, request, context) } };
      case ProfileFormat.TREE:
        return { tree: treeBytes(await treeOf(hub, request, context)) };
      default:
        return { flamegraph: toMessage(flameLevels(await treeOf(hub, request, context))) };
    }
  },

  async selectMergeProfile({ profileIdSelector, traceIdSelector, ...request }, context) {
    const { hub } = callOf(context);
    const whole = create(SelectMergeStacktracesRequestSchema, {
      profileTypeID: request.profileTypeID,
      labelSelector: request.labelSelector,
      start: request.start,
      end: request.end,
      stackTraceSelector: request.stackTraceSelector,
      profileIdSelector,
      traceIdSelector,
    });
    refuseSelectors(whole);
    return profileOf(hub, whole, context);
  },

  async selectSeries(request, context) {
    const { hub } = callOf(context);
    if (!(request.step >= 0.001)) throw new RejectedError('invalid', 'step must be >= 1ms');
    const isAverage = request.aggregation === TimeSeriesAggregationType.AVERAGE;
    const { series, completeness } = await selectSeries(hub, {
      profileType: request.profileTypeID,
      selector: plainSelector(hub, request.profileTypeID, request.labelSelector),
      ...queryRange(request.start, request.end, hub.clock()),
      stepMs: Math.round(request.step * 1000),
      groupBy: request.groupBy,
      aggregation: isAverage ? 'average' : 'sum',
      limit: request.limit ? Number(request.limit) : undefined,
    });
    noteCompleteness(context, completeness);
    return {
      series: series.map(({ labels, points }) => ({
        labels: toPairs(labels),
        points: points.map(({ timeMs, value }) => ({ value, timestamp: BigInt(timeMs) })),
      })),
    };
  },

  async diff({ left, right }, context) {
    const { hub } = callOf(context);
    if (!left || !right) throw new RejectedError('invalid', 'left and right are both needed');
    if (left.profileTypeID !== right.profileTypeID) {
      throw new RejectedError('invalid', `cannot compare ${left.profileTypeID} with ${right.profileTypeID}`);
    }
    const maxNodes = Math.max(maxNodesOf(left.maxNodes), maxNodesOf(right.maxNodes));
    const sides = await Promise.all([wholeTreeOf(hub, left), wholeTreeOf(hub, right)]);
    noteCompleteness(context, bothComplete(sides[0].completeness, sides[1].completeness));
    return { flamegraph: toMessage(flameLevelsOfDiff(trimmedDiff(sides[0].tree, sides[1].tree, maxNodes))) };
  },

  async getProfileStats(_request, context) {
    const { dataIngested, oldestProfileTime, newestProfileTime } = await profileStats(callOf(context).hub);
    return {
      dataIngested,
      oldestProfileTime: BigInt(oldestProfileTime),
      newestProfileTime: BigInt(newestProfileTime),
    };
  },

  analyzeQuery: () => ({}),
  selectMergeSpanProfile: () => Promise.reject(unimplemented('profiles of spans')),
  selectHeatmap: () => Promise.reject(unimplemented('heatmaps')),
};

async function treeOf(
  hub: Hub,
  request: SelectMergeStacktracesRequest,
  context: HandlerContext,
): Promise<CallTree> {
  const maxNodes = maxNodesOf(request.maxNodes);
  const { tree, completeness } = await wholeTreeOf(hub, request);
  noteCompleteness(context, completeness);
  return trimmedTo(tree, maxNodes);
}

async function wholeTreeOf(hub: Hub, request: SelectMergeStacktracesRequest) {
  const { tree, completeness } = await selectTree(hub, selectionOf(request, hub));
  return { tree: keepCallSite(tree, callSiteOf(request)), completeness };
}

async function profileOf(
  hub: Hub,
  request: SelectMergeStacktracesRequest,
  context: HandlerContext,
): Promise<Profile> {
  if (callSiteOf(request).length > 0) throw unimplemented('a call site in pprof format');
  const { bytes, completeness } = await selectPprof(hub, selectionOf(request, hub));
  noteCompleteness(context, completeness);
  return fromBinary(ProfileSchema, bytes);
}

function selectionOf(request: SelectMergeStacktracesRequest, hub: Hub) {
  return {
    profileType: request.profileTypeID,
    selector: plainSelector(hub, request.profileTypeID, request.labelSelector),
    ...queryRange(request.start, request.end, hub.clock()),
  };
}

/** As Pyroscope: a call site counts only where no PGO profile is asked for. */
function callSiteOf({ stackTraceSelector }: SelectMergeStacktracesRequest): string[] {
  if (!stackTraceSelector || stackTraceSelector.goPgo) return [];
  return stackTraceSelector.callSite.map(({ name }) => name);
}

/** Answering the whole profile to someone who asked for one span would be wrong, so say no. */
function refuseSelectors(request: SelectMergeStacktracesRequest): void {
  if (request.profileIdSelector.length > 0) throw unimplemented('profile_id_selector');
  if (request.spanSelector.length > 0) throw unimplemented('span_selector');
  if (request.traceIdSelector.length > 0) throw unimplemented('trace_id_selector');
}

function unimplemented(what: string): HttpError {
  return new HttpError(501, 'unimplemented', `${what}: not supported yet`);
}

function toMessage<T extends { levels: bigint[][] }>(
  flame: T,
): Omit<T, 'levels'> & { levels: { values: bigint[] }[] } {
  return { ...flame, levels: flame.levels.map((values) => ({ values })) };
}

function toPairs(labels: Labels): { name: string; value: string }[] {
  return labels.map(([name, value]) => ({ name, value }));
}
