import { sharedBatches } from '../block/duplicate-rows.ts';

// Planning is pure: index rows in, what to read out. It prunes by time, service and profile type before any read.

/** What planning needs of a block's index row. Times are ms, half-open. */
export interface IndexRow {
  readonly blockId: string;
  readonly minTime: number;
  readonly maxTime: number;
  readonly resolutionSeconds: number;
  readonly batchIds: readonly string[];
  readonly datasets: readonly {
    readonly service: string;
    readonly profileTypes: readonly string[];
    readonly minTime: number;
    readonly maxTime: number;
  }[];
}

/** What is wanted. */
export interface PlanRequest {
  readonly start: number;
  readonly end: number;
  /** Whether any series of the service can match. */
  readonly wantsService: (service: string) => boolean;
  /** Absent = every profile type. */
  readonly profileType?: string;
}

/** One block to read, and which of its services. */
export interface PlannedBlock<Row extends IndexRow = IndexRow> {
  readonly row: Row;
  readonly services: ReadonlySet<string>;
}

export interface QueryPlan<Row extends IndexRow = IndexRow> {
  readonly blocks: readonly PlannedBlock<Row>[];
  /** Batches that more than one planned block holds: their rows must be counted once. */
  readonly shared: ReadonlySet<string>;
}

export function planQuery<Row extends IndexRow>(rows: readonly Row[], request: PlanRequest): QueryPlan<Row> {
  const blocks: PlannedBlock<Row>[] = [];
  for (const row of rows) {
    if (row.minTime >= request.end || row.maxTime <= request.start) continue;
    const services = new Set<string>();
    for (const dataset of row.datasets) {
      if (dataset.minTime >= request.end || dataset.maxTime <= request.start) continue;
      if (request.profileType !== undefined && !dataset.profileTypes.includes(request.profileType)) continue;
      if (request.wantsService(dataset.service)) services.add(dataset.service);
    }
    if (services.size > 0) blocks.push({ row, services });
  }
  return { blocks, shared: sharedBatches(blocks.map((block) => block.row.batchIds)) };
}
