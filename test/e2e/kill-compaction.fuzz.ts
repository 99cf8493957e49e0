import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { DELETION_GRACE_MS, deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { listDeletions } from '../../pipeline/delete-profiles.ts';
import { LEASE_MS } from '../../pipeline/group-lease.ts';
import { listQuarantinedBlocks } from '../../pipeline/quarantine-blocks.ts';
import { roundStep } from '../../pipeline/run-query.ts';
import { sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { blockKey } from '../../storage/names.ts';
import { randomFrom, SEED } from '../core/block/fixtures.ts';
import { type Answer, ask, expected, type WindowRow } from '../pipeline/fleet-history.ts';
import { temporaryFolder } from '../server/temporary-folder.ts';
import { type HubAt, openHubAt } from './hub-at.ts';
import { DAY, HOUR, isDeleted, START, type Stage, Stages } from './kill-stages.ts';

// Processes that do the upkeep of a data folder are killed with SIGKILL within one of their calls of storage, of each kind of
// upkeep and each stage of blocks. Who asks beforehand, meanwhile and at once afterwards gets the same answer, and so does
// who asks after another process finished the work. `npm cit` kills a few at random; CINDERBLOCK_RUNS says how many of each kind.

const PROGRAM = join(import.meta.dirname, 'programs', 'kill-at-call.ts');
const KILLS = Number(process.env.CINDERBLOCK_RUNS ?? 2);
/** Of one kind, so that the lane of faults comes to its end. */
const KILLS_MAX = 24;

/** One kind of upkeep on one stage. */
interface Upkeep {
  readonly name: string;
  readonly work: string;
  readonly stage: Stage;
  /** What must be so once the work is done. */
  readonly isDone: (blocks: readonly BlockRow[], hub: HubAt) => void | Promise<void>;
  /** Windows that are answered by then, and may be answered before; default those of the stage. */
  readonly rowsAfter?: readonly WindowRow[];
}

const QUESTIONS = [
  { start: START, end: START + HOUR, service: 'shop', maxPoints: 12 },
  { start: START, end: START + 2 * DAY, service: 'shop', maxPoints: 48 },
  { start: START + 30 * 60_000, end: START + 27 * HOUR, service: 'cart', maxPoints: 60 },
];

const answersOf = (rows: readonly WindowRow[]): Answer[] =>
  QUESTIONS.map((question) =>
    expected(rows, question, roundStep((question.end - question.start) / question.maxPoints)),
  );

async function askAll(hub: HubAt): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const question of QUESTIONS) answers.push(await ask(hub, question));
  return answers;
}

class Killer {
  readonly #stages: Stages;
  readonly #cache: string;
  #count = 0;

  constructor(stages: Stages, cache: string) {
    this.#stages = stages;
    this.#cache = cache;
  }

  /** Answers the methods that the work calls, in order, when nobody kills it. */
  async calls(upkeep: Upkeep): Promise<string[]> {
    return (await this.#killedAt(upkeep, -1, 'before'))!;
  }

  async kill(upkeep: Upkeep, n: number, when: string): Promise<void> {
    assert.equal(
      await this.#killedAt(upkeep, n, when),
      undefined,
      `${upkeep.name}: killed ${when} call ${n}`,
    );
  }

  /** Answers the calls that it made; undefined when it was killed. */
  async #killedAt({ name, work, stage, isDone, rowsAfter }: Upkeep, n: number, when: string) {
    const folder = this.#stages.copy(stage, `run-${++this.#count}`);
    const [before, after] = [answersOf(stage.rows), answersOf(rowsAfter ?? stage.rows)];
    const what = `${name}, killed ${when} call ${n}`;
    let hub = await openHubAt(folder, stage.now);
    const check = async (moment: string, wanted: readonly Answer[][]) => {
      for (const [i, answer] of (await askAll(hub)).entries())
        assertOneOf(
          answer,
          wanted.map((answers) => answers[i]!),
          `${moment}: ${what}`,
        );
    };
    await check('before', [before]);
    const settings = JSON.stringify(stage.settings ?? {});
    const calls = await this.#run([folder, work, String(stage.now), String(n), when, settings], () =>
      check('meanwhile', [before, after]),
    );
    await hub.close();
    hub = await openHubAt(folder, stage.now);
    await check('at once', [before, after]);
    hub.time.now += LEASE_MS;
    await this.#run([folder, work, String(hub.time.now), '-1', 'before', settings], async () => {});
    await check('finished', [after]);
    hub.time.now += 2 * DELETION_GRACE_MS;
    await deleteMarkedBlocks(hub);
    await check('inputs deleted', [after]);
    assert.deepEqual((await sweepOrphans(hub, { dryRun: true })).missing, [], what);
    await isDone(await hub.catalog.find({ tenant: 'default', from: 0, until: stage.now }), hub);
    await hub.close();
    rmSync(folder, { recursive: true });
    return calls;
  }

  /** Runs the program, and asks as long as it works. */
  async #run(args: readonly string[], meanwhile: () => Promise<void>): Promise<string[] | undefined> {
    const env = { ...process.env, NODE_COMPILE_CACHE: this.#cache, NODE_TEST_CONTEXT: undefined };
    const options = ['--disable-warning=ExperimentalWarning', PROGRAM, ...args];
    const child = spawn(process.execPath, options, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { out: '', err: '' };
    child.stdout.on('data', (text) => (said.out += text));
    child.stderr.on('data', (text) => (said.err += text));
    let isOver = false;
    const ended = once(child, 'close').finally(() => (isOver = true));
    while (!isOver) {
      await meanwhile();
      await new Promise(setImmediate);
    }
    const [code, signal] = await ended;
    if (signal === 'SIGKILL') return undefined;
    assert.equal(code, 0, said.err);
    return (JSON.parse(said.out) as { methods: string[] }).methods;
  }
}

/** A flame graph and a timeline are two questions: what is deleted between them may be in the first one alone. */
function assertOneOf(found: Answer, wanted: readonly Answer[], what: string): void {
  for (const part of [treeOf, pointsOf])
    if (!wanted.some((answer) => isDeepStrictEqual(part(found), part(answer))))
      assert.deepEqual(part(found), part(wanted[0]!), what);
}

const treeOf = ({ tree, total, samples }: Answer) => ({ tree, total, samples });
const pointsOf = ({ points }: Answer) => points;

const rawOf = (blocks: readonly BlockRow[]) =>
  blocks.filter(({ resolutionSeconds }) => resolutionSeconds === 0);
const isOneRaw: Upkeep['isDone'] = (blocks) => assert.equal(rawOf(blocks).length, 1, 'one raw block is left');

function isSplit(blocks: readonly BlockRow[]): void {
  const services = rawOf(blocks).map(({ datasets }) => datasets.length);
  assert.ok(services.length > 1 && services.every((count) => count === 1), 'raw blocks of one shard each');
}

async function isProven(_: readonly BlockRow[], hub: HubAt): Promise<void> {
  const [deletion] = await listDeletions(hub);
  const [proven] = await listDeletions(hub, { verify: deletion!.id });
  assert.deepEqual([proven!.pendingBlocks, proven!.check!.rows], [0, 0], 'no block holds what was deleted');
}

async function allUpkeep(stages: Stages): Promise<Upkeep[]> {
  const fresh = await stages.fresh();
  const aside = await stages.aside(fresh);
  const late = await stages.late(fresh);
  const unsealed = await stages.unsealed(late);
  const sealed = await stages.sealed(unsealed);
  const unjoined = await stages.unjoined(sealed);
  const joined = await stages.joined(unjoined);
  const orphaned = await withOrphan(stages, sealed);
  const rowsAfter = sealed.rows.filter((row) => !isDeleted(row));
  return [
    {
      name: 'an hour is closed, its inputs deleted',
      work: 'compactAndDelete',
      stage: fresh,
      isDone: isOneRaw,
    },
    {
      ...{ name: 'an hour is split and closed in shards', work: 'compactAll', stage: stages.large(fresh) },
      isDone: isSplit,
    },
    {
      ...{ name: 'a block is set aside', work: 'setAside', stage: fresh, rowsAfter: aside.rows },
      isDone: async (_, hub) => assert.equal((await listQuarantinedBlocks(hub)).length, 1),
    },
    {
      ...{ name: 'a block is put back', work: 'putBack', stage: aside, rowsAfter: fresh.rows },
      isDone: async (_, hub) => assert.deepEqual(await listQuarantinedBlocks(hub), []),
    },
    { name: 'an hour is closed again with late data', work: 'compact', stage: late, isDone: isOneRaw },
    {
      ...{ name: 'days are sealed', work: 'compact', stage: unsealed },
      isDone: (blocks) => assert.equal(rawOf(blocks).length, 2, 'one raw block a day is left'),
    },
    {
      ...{ name: 'a range is joined', work: 'compact', stage: unjoined },
      isDone: (blocks) =>
        assert.equal(
          blocks.filter((row) => row.resolutionSeconds === 86_400).length,
          1,
          'one of 1 d is left',
        ),
    },
    {
      ...{ name: 'retention takes a service out of raw blocks', work: 'expire' },
      stage: await stages.expiring(sealed),
      isDone: (blocks) =>
        assert.ok(rawOf(blocks).every(({ datasets }) => datasets.every(({ service }) => service !== 'shop'))),
    },
    {
      ...{ name: 'a deletion is recorded', work: 'delete', stage: sealed, rowsAfter },
      isDone: async (_, hub) => assert.ok((await listDeletions(hub)).length >= 1),
    },
    {
      ...{ name: 'what was deleted leaves sealed blocks', work: 'rewrite', isDone: isProven },
      stage: await stages.deleted('sealed-deleted', sealed),
    },
    {
      ...{ name: 'what was deleted leaves joined blocks', work: 'rewrite', isDone: isProven },
      stage: await stages.deleted('joined-deleted', joined),
    },
    {
      ...{ name: 'objects without a row are swept', work: 'sweep', stage: orphaned },
      isDone: async (_, hub) => assert.deepEqual((await sweepOrphans(hub, { dryRun: true })).orphans, []),
    },
  ];
}

async function withOrphan(stages: Stages, sealed: Stage): Promise<Stage> {
  const folder = stages.copy(sealed, 'orphaned');
  const hub = await openHubAt(folder, sealed.now);
  for (const id of ['a', 'b'])
    await hub.objects.put(blockKey('default', 0, `orphan-${id}`), new Uint8Array(9));
  await hub.close();
  // Files carry the time of the machine, which is later.
  return { ...sealed, folder, now: Date.now() + 2 * DAY };
}

test(`kill -9 within any call of upkeep changes no answer, and the next process finishes the work (seed ${SEED})`, async (t) => {
  const random = randomFrom(SEED);
  const stages = new Stages(temporaryFolder(t), SEED);
  const killer = new Killer(stages, temporaryFolder(t));
  for (const upkeep of await allUpkeep(stages)) {
    const calls = await killer.calls(upkeep);
    assert.ok(calls.length > 3, `${upkeep.name} takes ${calls.length} calls`);
    // Plans look at each day of months: one of these calls is like another.
    const looks = calls.indexOf('find');
    const telling = calls.flatMap((method, n) =>
      method !== 'find' || n === looks ? [2 * n, 2 * n + 1] : [],
    );
    const cuts = telling.sort(() => random() - 0.5);
    const chosen = cuts.slice(0, Math.min(KILLS, KILLS_MAX));
    for (const cut of chosen) await killer.kill(upkeep, cut >> 1, cut % 2 === 0 ? 'before' : 'after');
    t.diagnostic(`${upkeep.name}: ${calls.length} calls, ${chosen.length} of ${cuts.length} cuts`);
  }
});
