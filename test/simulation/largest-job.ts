// Does one job of compaction in a process of its own, and prints what that took: resident memory before it and at most, CPU
// time, and the largest dataset. Arguments: a data folder that holds the inputs of the job, the file of the job, time in ms.
import { readFileSync } from 'node:fs';
import { runCompactionJob } from '../../pipeline/compact-blocks.ts';
import { openHubAt } from '../e2e/hub-at.ts';

/** What a job took when it was done alone. */
export interface JobCost {
  readonly residentBytesBefore: number;
  readonly residentBytesMax: number;
  readonly cpuMs: number;
  readonly datasetBytes: number;
  readonly bytesIn: number;
}

const [folder, file, now] = process.argv.slice(2);
const hub = await openHubAt(folder!, Number(now));
const residentBytesBefore = process.memoryUsage.rss();
const before = process.cpuUsage();
const { jobs, peakDatasetBytes, bytesIn } = await runCompactionJob(
  hub,
  JSON.parse(readFileSync(file!, 'utf8')),
);
if (jobs !== 1) throw new Error('the job did not go through');
const { user, system } = process.cpuUsage(before);
const cost: JobCost = {
  residentBytesBefore,
  residentBytesMax: process.resourceUsage().maxRSS * 1024,
  cpuMs: (user + system) / 1000,
  datasetBytes: peakDatasetBytes,
  bytesIn,
};
await hub.close();
console.log(JSON.stringify(cost));
