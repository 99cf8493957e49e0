import type { ServiceImpl } from '@connectrpc/connect';
import { auditLoss } from '../../pipeline/audit-loss.ts';
import { type ClusterSpools, clusterSpools, type NodeSpool } from '../../pipeline/cluster-spools.ts';
import { countStored, storedKey } from '../../pipeline/count-stored.ts';
import { readSpoolWords } from '../../pipeline/spool-words.ts';
import { callOf } from '../connect-call.ts';
import type { QueryService } from '../gen/cinderblock/v1/query_pb.js';
import { allWhole, whole } from '../whole-number.ts';
import { timeRange } from './time-range.ts';

export const auditLossCall: ServiceImpl<typeof QueryService>['auditLoss'] = async (
  { start, end, cluster, countStored: isCounted },
  context,
) => {
  const { hub } = callOf(context);
  const request = { ...timeRange(start, end), cluster: cluster || undefined };
  const spools = await readSpoolWords(hub, request.cluster);
  const hours = await auditLoss(hub, request, spools.words);
  const counted = isCounted ? await countStored(hub, request) : undefined;
  return {
    storedComplete: counted?.complete,
    spools: clusterSpools(spools).map(spoolFields),
    hours: hours.map(({ cluster, ...counts }) => {
      const stored = counted && (counted.samples.get(storedKey(cluster, counts.hourMs)) ?? 0);
      return {
        ...{ cluster, ...allWhole(counts) },
        ...(stored !== undefined && allWhole({ stored, waiting: Math.max(0, counts.acknowledged - stored) })),
      };
    }),
  };
};

function spoolFields({ asOfMs, batches, samples, olderSamples, silent, gone, ...counts }: ClusterSpools) {
  return {
    ...counts,
    ...allWhole({ batches, samples, olderSamples }),
    asOfMs: asOfMs === undefined ? undefined : whole(asOfMs),
    silent: silent.map(nodeFields),
    gone: gone.map(nodeFields),
  };
}

function nodeFields({ node, ...counts }: NodeSpool) {
  return { node, ...allWhole({ ...counts }) };
}
