import { MalformedInputError } from '../../core/errors.ts';
import { decodeTree } from '../../core/flamegraph/tree-codec.ts';
import { type Labels, labelsOf } from '../../core/labels/labels.ts';
import type { Completeness } from '../../core/query/completeness.ts';
import { bodyOf, type HubClient } from '../hub-client.ts';
import {
  type LabelRequest,
  type Line,
  type QuerySource,
  rightEdges,
  type Selection,
  type ServiceEntry,
} from './query-source.ts';

const QUERIER = 'querier.v1.QuerierService';
const OURS = 'cinderblock.v1.QueryService';
const COMPLETENESS_HEADER = 'cinderblock-completeness';

/** Answers of a running server, over its HTTP API. */
export function serverSource(client: HubClient): QuerySource {
  return {
    async tree(selection) {
      const response = await client.get('/v1/tree', { ...parametersOf(selection), max_nodes: '0' });
      const bytes = await bodyOf(response, async (r) => new Uint8Array(await r.arrayBuffer()));
      const { header, tree } = decodeTree(bytes);
      return { tree, total: BigInt(header.total), completeness: header.completeness };
    },
    async pprof(selection) {
      const response = await client.get('/v1/export', { ...parametersOf(selection), format: 'pprof' });
      const bytes = await bodyOf(response, async (r) => new Uint8Array(await r.arrayBuffer()));
      return { bytes, completeness: completenessIn(response.headers) };
    },
    async timeline(selection, maxPoints) {
      const { answer } = await client.call(`${OURS}/SelectTimeline`, { ...selection, maxPoints });
      const points = pointsOf(answer.points, 'timeMs');
      const completeness = readCompleteness(answer.completeness);
      return { stepMs: Number(answer.stepMs), line: { labels: [], points }, completeness };
    },
    async groupedSeries(selection, stepMs, groupBy) {
      const { start, end, timeOf } = rightEdges(selection, stepMs);
      const { answer, headers } = await client.call(`${QUERIER}/SelectSeries`, {
        profileTypeID: selection.profileType,
        labelSelector: selection.selector,
        start: String(start),
        end: String(end),
        step: stepMs / 1000,
        groupBy,
      });
      const lines = asArray(answer.series).map((series): Line => {
        const points = pointsOf(series.points, 'timestamp');
        const shifted = points.map(({ timeMs, value }) => ({ timeMs: timeOf(timeMs), value }));
        return { labels: labelsIn(series.labels), points: shifted };
      });
      return { lines, completeness: completenessIn(headers) };
    },
    async labels({ name, selector, start, end }: LabelRequest) {
      const request = { matchers: [selector], start: String(start), end: String(end) };
      const method = name === undefined ? 'LabelNames' : 'LabelValues';
      const { answer, headers } = await client.call(`${QUERIER}/${method}`, {
        ...request,
        ...(name !== undefined && { name }),
      });
      const completeness = headers.has(COMPLETENESS_HEADER) ? completenessIn(headers) : undefined;
      return { names: asArray(answer.names) as unknown as string[], completeness };
    },
    async services(range) {
      const { answer } = await client.call(`${OURS}/ListServices`, range);
      return asArray(answer.services).map(
        (service): ServiceEntry => ({
          name: String(service.name ?? ''),
          profileTypes: asArray(service.profileTypes) as unknown as string[],
          firstSeenMs: Number(service.firstSeenMs ?? 0),
          lastSeenMs: Number(service.lastSeenMs ?? 0),
          clusters: asArray(service.clusters) as unknown as string[],
        }),
      );
    },
    async close() {},
  };
}

function parametersOf({ profileType, selector, start, end }: Selection): Record<string, string> {
  return { profile_type: profileType, selector, start: String(start), end: String(end) };
}

/** protobuf JSON leaves out what is zero or empty, and writes 64-bit numbers as texts. */
function asArray(value: unknown): Record<string, unknown>[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value as Record<string, unknown>[];
  throw new MalformedInputError('answer', 'a list was expected');
}

function pointsOf(value: unknown, time: string): { timeMs: number; value: number }[] {
  return asArray(value).map((point) => ({
    timeMs: Number(point[time] ?? 0),
    value: Number(point.value ?? 0),
  }));
}

function labelsIn(value: unknown): Labels {
  return labelsOf(
    asArray(value).map((label) => [String(label.name ?? ''), String(label.value ?? '')] as const),
  );
}

function completenessIn(headers: Headers): Completeness {
  const text = headers.get(COMPLETENESS_HEADER);
  if (text === null) throw new MalformedInputError('answer', 'it does not say how complete it is');
  return readCompleteness(JSON.parse(text));
}

function readCompleteness(value: unknown): Completeness {
  const fields = (value ?? {}) as Record<string, unknown>;
  const number = (name: string) => Number(fields[name] ?? 0);
  return {
    complete: fields.complete === true,
    blocksRead: number('blocksRead'),
    bytesRead: number('bytesRead'),
    missingBlocks: number('missingBlocks'),
    corruptBlocks: number('corruptBlocks'),
    asideBlocks: number('asideBlocks'),
    samples: number('samples'),
    samplesLost: number('samplesLost'),
    lagMs: number('lagMs'),
    resolutionSeconds: number('resolutionSeconds'),
    coveredMs: number('coveredMs'),
    ...(fields.continueBefore !== undefined && { continueBefore: number('continueBefore') }),
    notes: asArray(fields.notes) as unknown as string[],
  };
}
