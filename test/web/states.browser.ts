import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser, type TestBrowser, waitForGraph } from './browser.ts';
import { type FakeApi, startFakeApi } from './fake-api.ts';

// Diff, Clusters, and what the page says when there is nothing or no answer.

let fake: FakeApi;
let browser: TestBrowser;

before(async () => {
  fake = await startFakeApi({ nodes: 3000 });
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await fake?.close();
});

const page = () => browser.page;
const goto = (path: string) => page().goto(new URL(path, fake.url).href);

const trees = () => fake.requests.filter((path) => path.startsWith('/v1/tree?')).length;

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 200 && !isSo(); i++) await page().waitForTimeout(50);
  assert.ok(isSo(), what);
}

/** Waits until nothing is on its way and nothing was asked for half a second. */
async function settled(): Promise<void> {
  let before = -1;
  for (let still = 0; still < 5; ) {
    const busy = await page().locator('.panel-busy, .spinner').count();
    still = busy === 0 && before === fake.requests.length ? still + 1 : 0;
    before = fake.requests.length;
    await page().waitForTimeout(100);
  }
}

function lastTreeQuery(): URLSearchParams {
  const request = fake.requests.findLast((path) => path.startsWith('/v1/tree?'));
  return new URL(request!, fake.url).searchParams;
}

test('diff compares with the period before, and presets move the baseline', async () => {
  await goto('./diff?service=payments');
  await waitForGraph(page());
  const period = lastTreeQuery();
  assert.equal(Number(period.get('diff_start')), Number(period.get('end')), 'A ends where B starts');
  await page()
    .getByText(/^B uses .*cores, A .*cores: /)
    .waitFor();
  await page().getByRole('button', { name: '24 h before' }).click();
  await page().waitForFunction(() => location.search.includes('arange=-1d'));
  await page().waitForFunction(
    () => performance.getEntriesByType('resource').filter((e) => e.name.includes('/v1/tree')).length >= 2,
  );
  const day = lastTreeQuery();
  assert.equal(Number(day.get('diff_start')) - Number(day.get('start')), 86_400_000);
});

test('the diff table is sorted by the size of the change, with a sign that is not only a colour', async () => {
  await goto('./diff?service=payments');
  await waitForGraph(page());
  await page().locator('#top-table .cell-grew, #top-table .cell-shrank').first().waitFor();
  const changes = await page()
    .locator('#top-table .virtual .grid-row .cell-number:last-child .cell-value')
    .allTextContents();
  const sizes = changes.map((text) =>
    Math.abs(Number.parseFloat(text.replace(/[▲▼+\s]/g, '').replace('−', '-'))),
  );
  assert.ok(sizes.length > 5);
  assert.deepEqual(
    [...sizes].sort((a, b) => b - a),
    sizes,
  );
  assert.ok(
    changes.every((text) => /^[▲▼] [+−]/.test(text)),
    changes.join(),
  );
});

test('absolute instead of share, swap, and back to Explore', async () => {
  await goto('./diff?service=payments&range=1700000000000-1700003600000');
  await waitForGraph(page());
  await page().getByRole('button', { name: 'Absolute, per second' }).click();
  await page().waitForFunction(() => location.search.includes('by=absolute'));
  await page().getByRole('button', { name: 'Swap' }).click();
  await page().waitForFunction(() => location.search.includes('range=1699996400000-1700000000000'));
  assert.match(page().url(), /arange=1700000000000-1700003600000/);
  await page().getByRole('link', { name: 'Explore' }).click();
  await page().waitForFunction(() => !location.pathname.endsWith('diff'));
  await page().locator('#top-table [role=columnheader]').getByText('Total').waitFor();
});

test('clusters: agents worst first with the reason, and the audit', async () => {
  await goto('./clusters');
  const local = page().getByRole('region', { name: 'Cluster This machine' });
  const rows = local.locator('tbody tr');
  await rows.first().waitFor();
  assert.match((await rows.first().textContent())!, /silent.*node-d.*3 h ago/);
  await page().getByText('upload refused: 403, the credential was revoked').waitFor();
  await local.getByText('1 of 5 agents good').waitFor();
  await local.getByText('active', { exact: true }).waitFor();
  await local.getByText(/^last heartbeat \d+ s ago$/).waitFor();
  const audit = page().getByRole('region', { name: 'Audit per hour' }).locator('tbody tr');
  assert.equal(await audit.count(), 6);
  assert.match((await audit.first().textContent())!, /local190 k120700189 k 99\.6 %0/);
  const warned = page().getByRole('region', { name: 'Audit per hour' }).locator('.cell-warn');
  assert.deepEqual(await warned.allTextContents(), ['400', '1', '90']);
  const titles = page().getByRole('region', { name: 'Audit per hour' }).locator('thead');
  assert.match(
    (await titles.textContent())!,
    /Taken.*Lost by kernel.*Dropped by agent.*Spooled.*Acknowledged.*Unaccounted.*Missing batches.*Duplicate batches/,
  );
  await page()
    .getByText(/^Spooled is as heard from agents, at most \d+ s ago\.$/)
    .waitFor();
  const spools = page().getByRole('list', { name: 'Spools to look after' }).getByRole('listitem');
  assert.deepEqual(
    (await spools.allTextContents()).map((text) => text.trim()),
    [
      'local: 1 agent silent: what was heard last stands',
      'local: node-d was heard 3 h ago, with 400 samples on its disk',
      'local: node-f lost its spool: 4 h ago it held 400 samples; what did not arrive is unaccounted',
    ],
  );
});

test('clusters: what is disabled or removed says what that means, and a new one what to do', async () => {
  await goto('./clusters');
  const cluster = (name: string) => page().getByRole('region', { name: `Cluster ${name}` });
  await cluster('staging').getByText('The hub refuses its batches').waitFor();
  await cluster('staging').getByText('1 agent', { exact: true }).waitFor();
  await cluster('old-eu').getByText('What it stored stays until its retention ends.').waitFor();
  assert.ok(
    !(await cluster('old-eu').getByRole('table').isVisible()),
    'agents of a removed cluster are folded',
  );
  await cluster('fresh').getByText('no heartbeat yet').waitFor();
  assert.deepEqual(
    await page()
      .getByRole('region', { name: /^Cluster / })
      .evaluateAll((all) => all.map((section) => section.getAttribute('aria-label'))),
    ['Cluster This machine', 'Cluster fresh', 'Cluster staging', 'Cluster old-eu'],
  );
  const copies = (command: string) =>
    page().getByRole('button', {
      name: `Copy: cinderblock cluster ${command} --url ${fake.url.slice(0, -1)}`,
    });
  await copies('enable staging').waitFor();
  await copies('doctor fresh').waitFor();
  await copies('add NAME').waitFor();
});

test('cores are measured against the time that has data', async () => {
  fake.mode = 'started';
  await goto('./?service=payments');
  await waitForGraph(page());
  await page()
    .locator('.breadcrumbs')
    .getByText(/ over 10 min with data, /)
    .waitFor();
  const text = (await page().locator('.breadcrumbs').textContent())!;
  const [, mcores, seconds] = /All: ([\d.]+) mcores over 10 min with data, ([\d.]+) s$/.exec(text)!;
  const measured = Number(seconds) / (Number(mcores) / 1000);
  assert.ok(Math.abs(measured - 600) < 20, `${text}: over ${measured} s`);
  fake.mode = 'data';
});

test('with no data at all the page says how to get some', async () => {
  fake.mode = 'empty';
  await goto('./');
  await page().getByRole('heading', { name: 'No profiles yet' }).waitFor();
  await page()
    .getByText(`curl --data-binary @cpu.pprof '${fake.url}ingest?name=my-service&format=pprof'`)
    .waitFor();
  await page().getByText('npm start').first().waitFor();
  await goto('./clusters');
  await page().getByText('No cluster has registered yet.').waitFor();
  await page().getByText('No samples were taken in the last 24 hours.').waitFor();
});

test('with data elsewhere the page offers the nearest', async () => {
  fake.mode = 'other-range';
  await goto('./?service=payments');
  await page().getByRole('heading', { name: 'No CPU profiles here' }).waitFor();
  await page()
    .getByRole('button', { name: /^Nearest data: / })
    .click();
  await page().waitForFunction(() => /range=\d+-\d+/.test(location.search));
});

test('a service that does not exist is told apart', async () => {
  fake.mode = 'data';
  await goto('./?service=nothing');
  await page().getByRole('heading', { name: 'No service is called “nothing”' }).waitFor();
  await page().locator('.empty').getByRole('button', { name: 'All services' }).click();
  await waitForGraph(page());
});

test('an error says what and why; trying again recovers', async () => {
  fake.mode = 'error';
  await goto('./?service=payments&range=1700000000000-1700003600000');
  const alert = page().getByRole('alert').first();
  await alert.getByText('The catalog is being rebuilt.').waitFor();
  fake.mode = 'data';
  await alert.getByRole('button', { name: 'Try again' }).click();
  await waitForGraph(page());
});

test('a failed refresh keeps the old graph and says so', async () => {
  fake.mode = 'data';
  await goto('./?service=payments');
  await waitForGraph(page());
  fake.mode = 'error';
  await page().getByRole('button', { name: 'Refresh', exact: true }).click();
  await page().getByText('The flame graph could not be refreshed.').waitFor();
  assert.ok(await page().locator('#flame-graph').isVisible());
  fake.mode = 'data';
});

test('a refresh changes the numbers and nothing else: no flash, nothing closes', async () => {
  fake.mode = 'data';
  for (const path of [
    './?service=payments&q=json',
    './?service=payments&view=sandwich&fn=runtime.main',
    './?service=payments&view=tree',
  ]) {
    await goto(path);
    await page().waitForSelector('.grid .virtual .grid-row');
    await settled();
    const rows = await page().locator('.grid').first().getAttribute('aria-rowcount');
    await page().evaluate(() => {
      const flashes: string[] = [];
      Object.assign(window, { flashes });
      new MutationObserver((changes) => {
        for (const change of changes) {
          for (const node of change.addedNodes) {
            if (node instanceof Element && node.matches('.panel-message, .spinner'))
              flashes.push(node.textContent ?? '');
          }
        }
      }).observe(document.body, { childList: true, subtree: true });
    });
    const before = trees();
    await page().getByRole('button', { name: 'Refresh', exact: true }).click();
    await until(() => trees() > before, 'asked again');
    await settled();
    assert.deepEqual(
      await page().evaluate(() => (window as unknown as { flashes: string[] }).flashes),
      [],
      path,
    );
    assert.equal(await page().locator('.grid').first().getAttribute('aria-rowcount'), rows, path);
  }
});

test('live refreshes by itself, and stops when told to', async () => {
  await page().clock.install();
  try {
    await goto('./?service=payments');
    await waitForGraph(page());
    const before = trees();
    await page().clock.runFor(21_000);
    await until(() => trees() > before, 'asked again');
    await page().getByRole('button', { name: 'Live' }).click();
    await page().waitForFunction(() => location.search.includes('live=off'));
    await settled();
    const after = trees();
    await page().clock.runFor(30_000);
    await settled();
    assert.equal(trees(), after);
  } finally {
    await page().clock.resume();
  }
});

test('a broken tree is refused in words', async () => {
  await page().route('**/v1/tree?*', (route) => route.fulfill({ status: 200, body: 'CBT1 but not really' }));
  await goto('./?service=checkout');
  await page()
    .getByText(/The flame graph could not be loaded.*tree: /)
    .waitFor();
  await page().unroute('**/v1/tree?*');
});
