import type { AuditHour } from './api.ts';

/** Samples of an hour that were taken, and are neither dropped nor acknowledged. What the kernel lost was not taken. */
export function unaccountedOf({
  taken,
  droppedByAgent,
  acknowledged,
}: Pick<AuditHour, 'taken' | 'droppedByAgent' | 'acknowledged'>): number {
  return Math.max(0, taken - droppedByAgent - acknowledged);
}
