import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';

/** What an agent counted while it took the samples of one batch. Samples, not values. */
export interface SampleCounters {
  /** Samples that the engine read. taken = kept + dropped. */
  readonly taken: number;
  /** Samples that the kernel says it could not deliver; not part of taken. */
  readonly lost: number;
  /** Samples that the agent took and then left out (rules, budget), before spooling. */
  readonly dropped: number;
  /** Samples that are in the batch. */
  readonly kept: number;
}

/**
 * Who sent a batch, and what the sender says of it. `sequence` counts the batches of one boot of one agent from 1
 * without gaps, so a missing number is a lost batch.
 */
export interface BatchOrigin extends SampleCounters {
  readonly cluster: string;
  readonly node: string;
  readonly bootId: string;
  readonly sequence: number;
  /** Windows of the batch lie in [firstWindow, lastWindow), ms since epoch on the hub's clock. */
  readonly firstWindow: number;
  readonly lastWindow: number;
  /** Version of the agent, and which engine took the samples: perf, ebpf, pprof, push. */
  readonly agentVersion: string;
  readonly engine: string;
  /**
   * Samples of spooled batches that the agent had to drop since its last acknowledged batch, so that the audit can
   * tell which sequence numbers were given up and how much they held.
   */
  readonly droppedBatches: number;
  readonly droppedBatchSamples: number;
}

/** Batch ids are (cluster, node, boot id, sequence) in one text; parts use only [A-Za-z0-9._-]. */
export function batchIdOf(origin: Pick<BatchOrigin, 'cluster' | 'node' | 'bootId' | 'sequence'>): string {
  return `${origin.cluster}/${origin.node}/${origin.bootId}/${origin.sequence}`;
}

const PART = /^[A-Za-z0-9._-]{1,128}$/;

/** Whether a text may be a part of a batch id, an object key and a URL path. */
export function isIdPart(text: string): boolean {
  return PART.test(text) && text !== '.' && text !== '..';
}

export function writeBatchOrigin(out: ByteWriter, origin: BatchOrigin): void {
  out.text(origin.cluster);
  out.text(origin.node);
  out.text(origin.bootId);
  out.varint(origin.sequence);
  out.varint(origin.taken);
  out.varint(origin.lost);
  out.varint(origin.dropped);
  out.varint(origin.kept);
  out.varint(origin.firstWindow);
  out.varint(origin.lastWindow);
  out.text(origin.agentVersion);
  out.text(origin.engine);
  out.varint(origin.droppedBatches);
  out.varint(origin.droppedBatchSamples);
}

export function readBatchOrigin(input: ByteReader): BatchOrigin {
  const cluster = readPart(input, 'cluster');
  const node = readPart(input, 'node');
  const bootId = readPart(input, 'boot id');
  return {
    cluster,
    node,
    bootId,
    sequence: input.varint(),
    taken: input.varint(),
    lost: input.varint(),
    dropped: input.varint(),
    kept: input.varint(),
    firstWindow: input.varint(),
    lastWindow: input.varint(),
    agentVersion: input.text(128),
    engine: input.text(64),
    droppedBatches: input.varint(),
    droppedBatchSamples: input.varint(),
  };
}

function readPart(input: ByteReader, what: string): string {
  const text = input.text(128);
  if (!isIdPart(text)) input.fail(`the ${what} may only use A-Z a-z 0-9 . _ -`);
  return text;
}
