import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compactBlocks, DELETION_GRACE_MS, deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { LEASE_MS } from '../../pipeline/group-lease.ts';
import { roundStep } from '../../pipeline/run-query.ts';
import { sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { randomFrom } from '../core/block/fixtures.ts';
import { ask, expected, publishRows, randomBatch, type WindowRow } from '../pipeline/fleet-history.ts';
import { temporaryFolder } from '../server/temporary-folder.ts';
import { openHubAt } from './hub-at.ts';

// A process that compacts and deletes is killed with SIGKILL within each of its calls of storage. What the next process
// finds must answer as before, at once and after it finished the work. `npm cit` kills before and after in turn; with
// CINDERBLOCK_RUNS it does both for every call.

const HOUR = 3_600_000;
const START = 1_700_006_400_000;
const CLOSED = START + 2 * HOUR;
const QUESTION = { start: START, end: START + HOUR, service: 'shop', maxPoints: 60 };
const PROGRAM = join(import.meta.dirname, 'programs', 'kill-at-call.ts');
const CALLS_MAX = 500;

/** A folder with an hour of fresh blocks, two of which hold the same batch. */
async function fill(folder: string): Promise<WindowRow[]> {
  const random = randomFrom(7);
  const hub = await openHubAt(folder, START + HOUR);
  const rows: WindowRow[] = [];
  for (let i = 0; i < 4; i++) {
    const batch = randomBatch(random, START, START + HOUR - 60_000);
    rows.push(...batch);
    await publishRows(hub, batch);
    if (i === 3) await publishRows(hub, batch);
  }
  await hub.close();
  return rows;
}

/** Answers how the process ended: the number of its calls, or undefined when it was killed. */
function run(folder: string, n: number, when: string, cache: string): number | undefined {
  const args = ['--disable-warning=ExperimentalWarning', PROGRAM, folder, String(CLOSED), String(n), when];
  const env = { ...process.env, NODE_COMPILE_CACHE: cache, NODE_TEST_CONTEXT: undefined };
  const { signal, status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  if (signal === 'SIGKILL') return undefined;
  assert.equal(status, 0, stderr);
  return Number(stdout);
}

test('kill -9 within any call of compaction and deletion loses nothing and brings nothing twice', async (t) => {
  const filled = temporaryFolder(t);
  const wanted = expected(await fill(filled), QUESTION, roundStep(HOUR / QUESTION.maxPoints));
  const cache = temporaryFolder(t);
  const isThorough = process.env.CINDERBLOCK_RUNS !== undefined;
  for (let n = 0; ; n++) {
    assert.ok(n < CALLS_MAX, 'it never ends');
    let calls: number | undefined;
    for (const when of isThorough ? ['before', 'after'] : [n % 2 === 0 ? 'before' : 'after']) {
      const folder = temporaryFolder(t);
      cpSync(filled, folder, { recursive: true });
      calls = run(folder, n, when, cache);
      const hub = await openHubAt(folder, CLOSED);
      assert.deepEqual(await ask(hub, QUESTION), wanted, `killed ${when} call ${n} was done`);
      hub.time.now += LEASE_MS;
      await compactBlocks(hub);
      assert.deepEqual(await ask(hub, QUESTION), wanted, `finished after a kill ${when} call ${n} was done`);
      hub.time.now += 2 * DELETION_GRACE_MS;
      await deleteMarkedBlocks(hub);
      assert.deepEqual(
        await ask(hub, QUESTION),
        wanted,
        `inputs deleted after a kill ${when} call ${n} was done`,
      );
      assert.deepEqual((await sweepOrphans(hub, { dryRun: true })).missing, []);
      const raw = (await hub.catalog.find({ tenant: 'default', from: 0, until: CLOSED })).filter(
        ({ resolutionSeconds }) => resolutionSeconds === 0,
      );
      assert.equal(raw.length, 1, 'one raw block is left');
      await hub.close();
    }
    if (calls !== undefined) {
      t.diagnostic(`${calls} calls`);
      assert.ok(n > 10 && n === calls, `not killed in call ${n}, though it makes ${calls}`);
      return;
    }
  }
});
