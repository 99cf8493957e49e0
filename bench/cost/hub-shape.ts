import type { HubShape } from './cost-inputs.ts';

/** The hub as lib/ deploys it. test/infra compares what it can see. */
export const HUB_SHAPE: HubShape = {
  ingestMemoryMb: 512,
  processorMemoryMb: 1769,
  queryMemoryMb: 1769,
  plannerMemoryMb: 3008,
  workerMemoryMb: 1769,
  housekeeperMemoryMb: 3008,
  planSeconds: 600,
  planAllSeconds: 3600,
  lossSumSeconds: 300,
  housekeepingCallsPerDay: 650,
  processorBatches: 100,
  processorWindowSeconds: 10,
  messageGroups: false,
  alarmMetrics: 64,
  customMetrics: 42,
  accessLogBytes: 330,
  metricsLineBytes: 700,
  metricsEverySeconds: 60,
};
