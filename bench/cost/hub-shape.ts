import type { HubShape } from './cost-model.ts';

/** The hub as lib/ deploys it. test/infra compares what it can see. */
export const HUB_SHAPE: HubShape = {
  ingestMemoryMb: 512,
  processorMemoryMb: 1769,
  queryMemoryMb: 1769,
  processorBatches: 100,
  processorWindowSeconds: 5,
  messageGroups: false,
  alarms: 30,
  customMetrics: 25,
  ingestLogBytes: 1000,
  processorLogBytes: 800,
};
