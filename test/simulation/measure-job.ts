import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blockKey } from '../../storage/names.ts';
import { openHubAt } from '../e2e/hub-at.ts';
import type { JobCost } from './largest-job.ts';
import type { KeptJob } from './simulated-compaction.ts';

const PROGRAM = join(import.meta.dirname, 'largest-job.ts');

/** Does a job once more, from what it was made of, in a process of its own, and answers what that took. */
export async function measureJob({ job, inputs }: KeptJob, folder: string, now: number): Promise<JobCost> {
  const hub = await openHubAt(folder, now);
  for (const { row, bytes } of inputs) {
    await hub.objects.put(blockKey(row.tenant, row.level, row.blockId), bytes);
    await hub.catalog.publish(row);
  }
  await hub.close();
  const file = join(folder, 'job.json');
  // Downsampled versions of the inputs are not there to be removed.
  writeFileSync(file, JSON.stringify({ ...job, versionIds: [] }));
  const args = ['--disable-warning=ExperimentalWarning', PROGRAM, folder, file, String(now)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as JobCost;
}
