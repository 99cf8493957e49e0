import { existsSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { benchBlock } from './block.bench.ts';
import { benchDecode } from './decode.bench.ts';
import { benchFlamegraph } from './flamegraph.bench.ts';
import { benchHistory } from './history.bench.ts';
import { benchIngest } from './ingest.bench.ts';
import { benchLargestJob } from './largest-job.bench.ts';
import { benchQuery } from './query.bench.ts';
import { Report } from './report.ts';

// npm run bench [-- NAME…]: runs all benchmarks one after the other, or those that are named, prints the tables, and
// writes bench/results.md when all ran. CINDERBLOCK_CORPUS names a folder of real profiles; where it is not set,
// ../shared/data beside the checkout is used when it is there, and generated profiles otherwise.

const BENCHMARKS: Readonly<
  Record<string, { title: string; run: (report: Report, corpus: string | undefined) => Promise<void> }>
> = {
  // First, in a process that has done nothing else, as a server is; the ones that compare run in processes of their own.
  ingest: { title: 'From HTTP body to durable block', run: benchIngest },
  decode: { title: 'Decode and merge pprof', run: benchDecode },
  block: { title: 'Blocks', run: benchBlock },
  query: { title: 'Queries', run: benchQuery },
  history: { title: 'Compaction, and queries over ten months', run: benchHistory },
  'largest-job': { title: 'The largest compaction job', run: benchLargestJob },
  flamegraph: { title: 'Flame graph', run: benchFlamegraph },
};

const root = join(import.meta.dirname, '..');
const beside = join(root, '..', 'shared', 'data');
const corpus = process.env.CINDERBLOCK_CORPUS ?? (existsSync(join(beside, 'pprof')) ? beside : undefined);
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(BENCHMARKS, name));
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(BENCHMARKS).join(', ')}`);
  process.exit(2);
}

const report = new Report();
for (const [name, { title, run }] of Object.entries(BENCHMARKS)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.log(`… ${title}`);
  report.section(title);
  await run(report, corpus);
}

const markdown = report.toMarkdown({
  cpu: cpus()[0]!.model.trim(),
  cpus: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  date: new Date().toISOString().slice(0, 10),
});
console.log(markdown);
if (asked.length === 0) writeFileSync(join(root, 'bench', 'results.md'), markdown);
const missed = report.missed();
if (missed.length > 0) console.log(`targets missed: ${missed.map(({ name }) => name).join('; ')}`);
