import { ASSUMPTIONS } from './cost-inputs.ts';
import { priceOf } from './list-prices.ts';

/** Memory that gives one whole core, MB: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html */
const CORE_MEMORY_MB = 1769;

/** Whole milliseconds that a call is billed: its CPU on the share of a core that the memory gives, and its waiting. */
export function billedMs(cpuMs: number, waitMs: number, memoryMb: number): number {
  const share = Math.min(1, memoryMb / CORE_MEMORY_MB) * ASSUMPTIONS.lambdaCoreSpeed;
  return Math.ceil(cpuMs / share + waitMs);
}

/** US dollars for calls of so many milliseconds. */
export function compute(calls: number, ms: number, memoryMb: number): number {
  return priceOf('lambdaGbSecond', calls * (ms / 1000) * (memoryMb / 1024));
}
