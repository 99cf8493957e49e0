// Spools batches until it is killed; see "kill -9" in spool.test.ts. Arguments: folder, boot id.
import { writeSync } from 'node:fs';
import { Spool } from '../../../agent/spool/spool.ts';
import { nodeFs } from '../../../agent/spool/spool-fs.ts';

const [folder, bootId] = process.argv.slice(2) as [string, string];
const spool = new Spool({
  fs: nodeFs,
  folder,
  bootId,
  bytesMax: 1e9,
  ageMaxMs: 1e9,
  segmentBytes: 20_000,
  log: () => {},
});
for (let samples = 1; ; samples++) {
  writeSync(1, `will ${samples}\n`);
  spool.gather({ taken: samples, lost: 0 });
  writeSync(1, `did ${samples}\n`);
  const { taken, lost } = spool.unreported;
  const encode = () => new Uint8Array(1_000 + (samples % 7) * 3_000).fill(samples);
  spool.append({ kept: samples, taken, lost, firstWindow: 0, lastWindow: 1, createdMs: Date.now(), encode });
}
