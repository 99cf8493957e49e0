import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { CompactionReport } from '../../pipeline/compact-blocks.ts';
import { LEASE_MS } from '../../pipeline/group-lease.ts';
import { roundStep } from '../../pipeline/run-query.ts';
import { sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { randomFrom, SEED } from '../core/block/fixtures.ts';
import { ask, expected } from '../pipeline/fleet-history.ts';
import { temporaryFolder } from '../server/temporary-folder.ts';
import { openHubAt } from './hub-at.ts';
import { HOUR, START, type Stage, Stages } from './kill-stages.ts';

// Two processes compact the same group of one data folder at the same time: one of them stands still in the middle of a call,
// and the other comes. One wins, the other stops cleanly; nothing is lost, nothing is there twice, nothing is left behind.

const PROGRAM = join(import.meta.dirname, 'programs', 'kill-at-call.ts');
const QUESTION = { start: START, end: START + HOUR, service: 'shop', maxPoints: 60 };
const MOMENTS = Number(process.env.CINDERBLOCK_RUNS ?? 3);
const MOMENTS_MAX = 40;

type Compactor = ChildProcessByStdio<Writable, Readable, Readable>;

interface Said {
  methods: string[];
  report: CompactionReport;
}

function compactor(args: readonly (string | number)[]): Compactor {
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const options = ['--disable-warning=ExperimentalWarning', PROGRAM, ...args.map(String)];
  return spawn(process.execPath, options, { env, stdio: ['pipe', 'pipe', 'pipe'] });
}

async function ended(child: Compactor): Promise<Said> {
  const said = { out: '', err: '' };
  child.stdout.on('data', (text) => (said.out += text));
  child.stderr.on('data', (text) => (said.err += text));
  const [code] = await once(child, 'close');
  assert.equal(code, 0, said.err);
  return JSON.parse(said.out.trim().split('\n').at(-1)!) as Said;
}

class Race {
  readonly #stages: Stages;
  readonly #stage: Stage;
  #count = 0;

  constructor(stages: Stages, stage: Stage) {
    this.#stages = stages;
    this.#stage = stage;
  }

  /** One stands still in its nth call, before or after its effect, while the other works at `later` ms from then. */
  async run(n: number, later: number): Promise<{ first: Said; second: Said }> {
    const { now, rows } = this.#stage;
    const folder = this.#stages.copy(this.#stage, `race-${++this.#count}`);
    const hub = await openHubAt(folder, now);
    const wanted = expected(rows, QUESTION, roundStep(HOUR / QUESTION.maxPoints));
    const check = async (when: string) =>
      assert.deepEqual(await ask(hub, QUESTION), wanted, `${when}, first one in call ${n}`);
    const one = compactor([folder, 'compact', now, n, 'pause']);
    const isPaused = n < 0 ? undefined : once(one.stdout, 'data');
    const first = ended(one);
    if (n >= 0) assert.match(String((await isPaused)![0]), /paused/);
    await check('while one stands still');
    const second = await ended(compactor([folder, 'compact', now + later, -1, 'pause']));
    await check('after the other one');
    if (n >= 0) one.stdin.end('go on\n');
    const both = { first: await first, second };
    await check('after both');
    hub.time.now = now + later;
    // Whoever took over may have stopped in turn; a third finds nothing to do.
    const blocks = await hub.catalog.find({ tenant: 'default', from: 0, until: now });
    assert.equal(
      blocks.filter(({ resolutionSeconds }) => resolutionSeconds === 0).length,
      1,
      'one raw block',
    );
    hub.time.now = Date.now() + 48 * HOUR;
    const { orphans, missing } = await sweepOrphans(hub, { dryRun: true });
    assert.deepEqual(
      { orphans, missing },
      { orphans: [], missing: [] },
      `left behind, first one in call ${n}`,
    );
    await hub.close();
    return both;
  }
}

/** Moments to stand still in, by the seed; plans look at each day of months, and one of these calls is like another. */
async function race(t: TestContext): Promise<{ race: Race; calls: number; moments: number[] }> {
  const stages = new Stages(temporaryFolder(t), SEED);
  const running = new Race(stages, await stages.fresh());
  const { first, second } = await running.run(-1, 0);
  assert.equal(first.report.jobs + second.report.jobs, 1, 'one of two at once wins');
  const { methods } = first.report.jobs === 1 ? first : second;
  const random = randomFrom(SEED);
  const telling = methods.flatMap((method, n) => (method === 'find' ? [] : [n]));
  const moments = telling.sort(() => random() - 0.5);
  return { race: running, calls: telling.length, moments: moments.slice(0, Math.min(MOMENTS, MOMENTS_MAX)) };
}

test(`of two processes that compact one group at once, one wins and the other stops cleanly (seed ${SEED})`, async (t) => {
  const { race: running, calls, moments } = await race(t);
  for (const n of moments) {
    const { first, second } = await running.run(n, 0);
    assert.equal(first.report.jobs + second.report.jobs, 1, `first one in call ${n}`);
    assert.equal(first.report.failed + second.report.failed, 0);
  }
  t.diagnostic(`stood still in ${moments.length} of ${calls} calls`);
});

test(`who takes over a group whose lease lapsed wins, and who had it publishes nothing (seed ${SEED})`, async (t) => {
  const { race: running, calls, moments } = await race(t);
  for (const n of moments) {
    const { first, second } = await running.run(n, LEASE_MS + 1);
    assert.equal(first.report.jobs + second.report.jobs, 1, `first one in call ${n}`);
    assert.equal(first.report.failed + second.report.failed, 0);
  }
  t.diagnostic(`stood still in ${moments.length} of ${calls} calls`);
});
