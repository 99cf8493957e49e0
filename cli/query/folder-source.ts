import { gzipSync } from 'node:zlib';
import type { Completeness } from '../../core/query/completeness.ts';
import { listLabelNames, listLabelValues, listServices } from '../../pipeline/list-labels.ts';
import { selectPprof, selectSeries, selectTimeline, selectTree } from '../../pipeline/run-query.ts';
import { openDataFolder } from '../data-folder.ts';
import type { Terminal } from '../terminal.ts';
import { type QuerySource, rightEdges } from './query-source.ts';

/**
 * Answers of a data folder that no server holds. Batches that wait in its queue are not part of them: only a server
 * turns those into blocks.
 * @throws UsageError when there is no such folder, RetryableError when a server holds it
 */
export async function folderSource(folder: string, terminal: Terminal): Promise<QuerySource> {
  const { hub, close } = await openDataFolder(folder, terminal, 'ask the server that holds it with --url');
  const { visible, inFlight } = await hub.queue.depth();
  const waiting = visible + inFlight;
  if (waiting > 0)
    terminal.note(
      `note: ${waiting} batches wait to be processed and are not in the answer; start a server on ${folder}`,
    );
  return {
    tree: (selection) => selectTree(hub, selection),
    async pprof(selection) {
      const { bytes, completeness } = await selectPprof(hub, selection);
      return { bytes: gzipSync(bytes), completeness };
    },
    async timeline(selection, maxPoints) {
      const { stepMs, points, completeness } = await selectTimeline(hub, { ...selection, maxPoints });
      return {
        stepMs,
        line: { labels: [], points: points.map(({ timeMs, value }) => ({ timeMs, value })) },
        completeness,
      };
    },
    async groupedSeries(selection, stepMs, groupBy) {
      const { start, end, timeOf } = rightEdges(selection, stepMs);
      const request = { ...selection, start, end, stepMs, groupBy, aggregation: 'sum' as const };
      const { series, completeness } = await selectSeries(hub, request);
      const lines = series.map(({ labels, points }) => ({
        labels,
        points: points.map(({ timeMs, value }) => ({ timeMs: timeOf(timeMs), value })),
      }));
      return { lines, completeness };
    },
    async labels({ name, selector, start, end }) {
      const request = { matchers: [selector], start, end };
      let completeness: Completeness | undefined;
      const tell = (found: Completeness) => {
        completeness = found;
      };
      const names = await (name === undefined
        ? listLabelNames(hub, request, tell)
        : listLabelValues(hub, { ...request, name }, tell));
      return { names, completeness };
    },
    services: (range) => listServices(hub, range),
    close,
  };
}
