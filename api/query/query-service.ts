import type { ServiceImpl } from '@connectrpc/connect';
import { RejectedError } from '../../core/errors.ts';
import { listServices } from '../../pipeline/list-labels.ts';
import { selectTimeline } from '../../pipeline/run-query.ts';
import { callOf } from '../connect-call.ts';
import type { QueryService } from '../gen/cinderblock/v1/query_pb.js';
import { allWhole, whole } from '../whole-number.ts';
import { auditLossCall } from './audit-call.ts';
import { listClustersCall } from './list-clusters-call.ts';
import { timeRange } from './time-range.ts';

const MAX_POINTS_DEFAULT = 240;
const MAX_POINTS_MAX = 11_000;

/** What the web page needs beyond querier.v1. */
export const queryService: ServiceImpl<typeof QueryService> = {
  async listServices({ start, end }, context) {
    const services = await listServices(callOf(context).hub, timeRange(start, end));
    return {
      services: services.map(({ firstSeenMs, lastSeenMs, ...service }) => ({
        ...service,
        firstSeenMs: whole(firstSeenMs),
        lastSeenMs: whole(lastSeenMs),
      })),
    };
  },

  async selectTimeline({ profileType, selector, start, end, maxPoints = MAX_POINTS_DEFAULT }, context) {
    if (maxPoints < 1 || maxPoints > MAX_POINTS_MAX) {
      throw new RejectedError('invalid', `maxPoints is ${maxPoints}, it may be 1 to ${MAX_POINTS_MAX}`);
    }
    const range = timeRange(start, end);
    const { stepMs, points, ...timeline } = await selectTimeline(callOf(context).hub, {
      profileType,
      selector,
      ...range,
      maxPoints,
    });
    return {
      ...timeline,
      stepMs: whole(stepMs),
      points: points.map(({ timeMs, samples, windows, ...point }) => ({
        ...point,
        ...allWhole({ timeMs, samples, windows }),
      })),
    };
  },

  listClusters: listClustersCall,

  auditLoss: auditLossCall,
};
