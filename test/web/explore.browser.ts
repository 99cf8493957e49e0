import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser, slowDown, type TestBrowser, waitForGraph } from './browser.ts';
import { type FakeApi, startFakeApi } from './fake-api.ts';

// The Explore page in a real browser over made-up data: what a person sees, clicks, types and shares.

let fake: FakeApi;
let browser: TestBrowser;

before(async () => {
  fake = await startFakeApi({ nodes: 5000 });
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await fake?.close();
});

const page = () => browser.page;
const statusName = () => page().locator('.status-name').textContent();
const liveText = () => page().locator('#live').textContent();
const param = (name: string) => new URL(page().url()).searchParams.get(name);

async function open(path: string): Promise<void> {
  await page().goto(new URL(path, fake.url).href);
  await waitForGraph(page());
}

/** Waits until one row of the graph's pixels has more colours than some. */
async function moreColorsAt(y: number, some: number): Promise<void> {
  await page().waitForFunction(
    ([at, least]) => {
      const { width } = document.querySelector<HTMLCanvasElement>('#flame-graph canvas')!;
      const data = window.canvasPixels('#flame-graph canvas', 0, at, width, 1);
      const colors = new Set<string>();
      for (let i = 0; i < data.length; i += 4) colors.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
      return colors.size > least;
    },
    [y, some] as const,
  );
}

async function clickFrame(level: number, xShare: number): Promise<void> {
  const box = (await page().locator('#flame-graph').boundingBox())!;
  await page().mouse.click(box.x + box.width * xShare, box.y + level * 18 + 9);
}

test('opens with services, timeline, table and a painted graph', async () => {
  await open('./?service=payments');
  assert.equal(await page().title(), 'payments · Explore · Cinderblock');
  assert.equal(await page().getByRole('combobox', { name: 'Service' }).inputValue(), 'payments');
  assert.equal(await page().getByLabel('Profile type').locator('option:checked').textContent(), 'CPU');
  await moreColorsAt(60, 3);
  assert.ok((await page().locator('#top-table .virtual .grid-row').count()) > 10);
  await page()
    .locator('.breadcrumbs')
    .getByText(/^All: .*cores over 5\d min with data, /)
    .waitFor();
  assert.ok(
    fake.requests.some((request) => request.startsWith('/v1/tree?') && request.includes('service_name')),
  );
  assert.deepEqual(browser.complaints, []);
});

test('a click zooms, the URL says so, Back undoes, reload restores', async () => {
  await open('./?service=payments&range=1700000000000-1700003600000');
  await page().locator('.breadcrumbs').getByText('with data').waitFor();
  const whole = await page().locator('.breadcrumbs').textContent();
  await clickFrame(3, 0.1);
  await page().waitForFunction(() => location.search.includes('zoom='));
  const zoomed = await page().locator('.breadcrumbs').textContent();
  assert.match(zoomed!, /of all$/);
  const share = param('zoom');
  await page().reload();
  await waitForGraph(page());
  await page().waitForFunction(
    (text) => document.querySelector('.breadcrumbs')?.textContent === text,
    zoomed,
  );
  assert.equal(param('zoom'), share);
  await page().goBack();
  await page().waitForFunction((text) => document.querySelector('.breadcrumbs')?.textContent === text, whole);
  assert.equal(param('zoom'), null);
  await page().goForward();
  await page().waitForFunction(() => location.search.includes('zoom='));
});

test('a refresh with other data keeps the zoom by path, or says that it is gone', async () => {
  await open('./?service=payments&zoom=zzzzzzzzzzzzzz');
  await page().getByText('The zoomed frame has no samples here.').waitFor();
  await page().getByRole('button', { name: 'Show the whole graph' }).click();
  await page().locator('.breadcrumbs').getByText('All:').waitFor();
});

test('search counts each sample once, keeps 100 % and filters the table', async () => {
  await open('./?service=payments');
  await page().getByRole('searchbox').fill('runtime\\.main');
  const result = page().locator('#search-result');
  await page().waitForFunction(() =>
    /100 %/.test(document.querySelector('#search-result')?.textContent ?? ''),
  );
  assert.equal(await result.textContent(), '100 % · 1 function');
  await page().waitForFunction(() => document.querySelectorAll('#top-table .virtual .grid-row').length === 1);
  assert.equal(param('q'), 'runtime\\.main');
  // The frame that paints the match may come after the text that counts it.
  await page().waitForFunction(() => {
    const { width } = document.querySelector<HTMLCanvasElement>('#flame-graph canvas')!;
    const [red, green, blue] = window.canvasPixels('#flame-graph canvas', width - 40, 26, 1, 1);
    return red === 0xee && green === 0 && blue === 0xee;
  });
  await page().getByRole('searchbox').fill('a(');
  await page().getByText('Unterminated group').waitFor();
  await page().getByRole('searchbox').fill('nothing_is_called_this');
  await page().getByText('0 % · 0 functions').waitFor();
  await page().getByText('No function matches').waitFor();
});

test('typing replaces the URL, so Back leaves the search in one step', async () => {
  await open('./?service=payments');
  const before = await page().evaluate(() => history.length);
  await page().getByRole('searchbox').pressSequentially('json', { delay: 150 });
  await page().waitForFunction(() => location.search.includes('q=json'));
  assert.equal(await page().evaluate(() => history.length), before);
});

test('a slow page keeps every letter that is typed', async () => {
  await open('./?service=payments');
  await slowDown(page(), 8);
  await page().getByRole('searchbox').pressSequentially('encoding', { delay: 130 });
  await page().waitForFunction(() => location.search.includes('q=encoding'));
  assert.equal(await page().getByRole('searchbox').inputValue(), 'encoding');
  await slowDown(page());
});

test('the keyboard alone finds, zooms, reshapes and comes back', async () => {
  await open('./?service=payments&view=flame');
  await page().locator('#flame-graph').focus();
  const key = (name: string) => page().keyboard.press(name);
  await key('ArrowDown');
  assert.equal(await statusName(), 'runtime.main');
  await page().waitForFunction(() =>
    /^runtime\.main — total .*level 1$/.test(document.querySelector('#live')?.textContent ?? ''),
  );
  await key('ArrowDown');
  const second = await statusName();
  await key('ArrowRight');
  assert.notEqual(await statusName(), second);
  await key('ArrowLeft');
  assert.equal(await statusName(), second);
  await key('Enter');
  await page().waitForFunction(() => location.search.includes('zoom='));
  await key('Escape');
  await page().waitForFunction(() => !location.search.includes('zoom='));
  await key('i');
  await page().waitForFunction(() => location.search.includes('do=invert'));
  await page().getByText('bottom-up').waitFor();
  await key('i');
  await page().waitForFunction(() => !location.search.includes('do=invert'));
  await key('v');
  await page().waitForFunction(() => location.search.includes('flip=1'));
  await key('v');
  await key('/');
  assert.equal(await page().evaluate(() => document.activeElement?.id), 'search');
  await page().keyboard.type('mallocgc');
  await key('Enter');
  await page().waitForFunction(() =>
    /mallocgc/.test(document.querySelector('.status-name')?.textContent ?? ''),
  );
  await key('Escape');
  await page().waitForFunction(() => !location.search.includes('q='));
  await page().locator('#flame-graph').focus();
  await key('5');
  await page().locator('#tree-view').waitFor();
  await page().locator('#tree-view').focus();
  await key('1');
  await page().locator('#flame-graph').waitFor();
  await page().locator('#flame-graph').focus();
  await key('?');
  await page().getByRole('dialog', { name: 'Keys and reading' }).waitFor();
  await key('Escape');
  await page().getByRole('dialog', { name: 'Keys and reading' }).waitFor({ state: 'hidden' });
  assert.equal(await page().evaluate(() => document.activeElement?.id), 'flame-graph', 'focus returns');
});

test('letters typed into a field stay letters', async () => {
  await open('./?service=payments');
  await page().getByRole('searchbox').pressSequentially('ivt');
  await page().waitForFunction(() => location.search.includes('q=ivt'));
  assert.equal(param('do'), null);
  assert.equal(param('flip'), null);
});

test('steps drop samples and say how many', async () => {
  await open('./?service=payments&do=drop:tcp_sendmsg');
  await page().getByText('dropped tcp_sendmsg').waitFor();
  await page()
    .getByText(/% of samples left out by steps/)
    .waitFor();
  await page().getByRole('button', { name: 'Undo: dropped tcp_sendmsg' }).click();
  await page().waitForFunction(() => !location.search.includes('do='));
});

test('the menu of a frame works by keyboard and gives focus back', async () => {
  await open('./?service=payments&view=flame');
  await page().locator('#flame-graph').focus();
  await page().keyboard.press('ArrowDown');
  await page().keyboard.press('ArrowDown');
  await page().keyboard.press('Shift+F10');
  const menu = page().getByRole('menu');
  await menu.waitFor();
  await page().keyboard.press('ArrowDown');
  assert.equal(await page().evaluate(() => document.activeElement?.textContent), 'Whole graph0');
  await page().keyboard.press('Escape');
  await menu.waitFor({ state: 'hidden' });
  await page().waitForFunction(() => document.activeElement?.id === 'flame-graph');
});

test('the table sorts, and a double click opens the sandwich', async () => {
  await open('./?service=payments');
  await page().getByRole('button', { name: 'Total' }).click();
  const first = page().locator('#top-table .virtual .grid-row').first();
  await page().waitForFunction(
    () =>
      document.querySelector('#top-table .virtual .grid-row [role=rowheader]')?.getAttribute('aria-label') ===
      'runtime.main',
  );
  assert.equal(await page().locator('[aria-sort=descending]').textContent(), 'Total↓');
  await first.dblclick();
  await page().locator('.sandwich canvas[data-painted]').first().waitFor();
  assert.equal(param('fn'), 'runtime.main');
  assert.match((await page().locator('.sandwich-pivot').textContent())!, /100 % of all/);
});

test('the tree view is a treegrid that opens and closes', async () => {
  await open('./?service=payments');
  await page().getByRole('button', { name: 'Tree', exact: true }).click();
  const tree = page().getByRole('treegrid', { name: 'Call tree' });
  await tree.focus();
  await page().keyboard.press('Home');
  const rows = () => tree.getAttribute('aria-rowcount');
  const open2 = await rows();
  await page().keyboard.press('ArrowLeft');
  await page().waitForFunction(
    () => document.querySelector('#tree-view')?.getAttribute('aria-rowcount') === '2',
  );
  await page().keyboard.press('ArrowRight');
  await page().waitForFunction(
    (count) => document.querySelector('#tree-view')?.getAttribute('aria-rowcount') === count,
    open2,
  );
  assert.equal(await page().locator('#tree-view [aria-selected=true]').getAttribute('aria-level'), '1');
});

test('brushing the timeline selects a part, Esc clears it', async () => {
  await open('./?service=payments');
  const box = (await page().locator('.timeline-canvas').boundingBox())!;
  await page().mouse.move(box.x + 400, box.y + 40);
  await page().mouse.down();
  await page().mouse.move(box.x + 600, box.y + 40, { steps: 4 });
  await page().mouse.up();
  await page().waitForFunction(() => location.search.includes('sel='));
  const [start, end] = param('sel')!.split('-').map(Number);
  assert.equal(start % 15_000, 0, 'whole buckets');
  assert.ok(end > start);
  await page().waitForFunction(
    (from) => performance.getEntriesByType('resource').some((e) => e.name.includes(`start=${from}`)),
    start,
  );
  await page().locator('.timeline-box').focus();
  await page().keyboard.press('Escape');
  await page().waitForFunction(() => !location.search.includes('sel='));
  await page().keyboard.press('End');
  await page().keyboard.press('Shift+ArrowLeft');
  await page().keyboard.press('Shift+ArrowLeft');
  await page().waitForFunction(() => location.search.includes('sel='));
  const [from, to] = param('sel')!.split('-').map(Number);
  assert.equal(to - from, 45_000, 'three buckets by keyboard');
});

test('filters are chips, with suggestions for label and value', async () => {
  await open('./?service=payments');
  await page().getByRole('button', { name: '+ filter' }).click();
  const label = page().getByRole('combobox', { name: 'Label' });
  await label.click();
  await page().getByRole('option', { name: 'pod' }).click();
  const value = page().getByRole('combobox', { name: 'Value' });
  await value.click();
  await page().getByRole('option', { name: 'pod-2' }).click();
  await page().getByRole('button', { name: 'Add filter' }).click();
  await page().locator('.chip').getByText('pod="pod-2"').waitFor();
  assert.equal(param('f'), 'pod==pod-2');
  await waitForGraph(page());
  assert.ok(fake.requests.some((request) => decodeURIComponent(request).includes('pod="pod-2"')));
  await page().getByRole('button', { name: 'Remove filter pod="pod-2"' }).click();
  await page().waitForFunction(() => !location.search.includes('f='));
});

test('the service picker filters as one types, and takes with Enter', async () => {
  await open('./?service=payments');
  const picker = page().getByRole('combobox', { name: 'Service' });
  await picker.click();
  assert.equal(await picker.getAttribute('aria-expanded'), 'true');
  await picker.fill('sea');
  assert.equal(await page().locator('.option').count(), 1);
  await page().keyboard.press('ArrowDown');
  const active = await picker.getAttribute('aria-activedescendant');
  assert.equal(await page().locator(`[id="${active}"]`).locator('.option-label').textContent(), 'search');
  await page().keyboard.press('Enter');
  await page().waitForFunction(() => location.search.includes('service=search'));
  await picker.fill('zzz');
  await page().keyboard.press('Escape');
  assert.equal(await picker.inputValue(), 'search', 'Esc restores');
});

test('ranges: preset, pasted, and one window earlier', async () => {
  await open('./?service=payments');
  await page()
    .getByRole('button', { name: /^Time range/ })
    .click();
  await page().getByRole('button', { name: 'Last 6 hours' }).click();
  await page().waitForFunction(() => location.search.includes('range=6h'));
  await page()
    .getByRole('button', { name: /^Time range/ })
    .click();
  await page().getByLabel('Or paste a range').fill('2026-11-20 14:00..15:00 UTC');
  await page().getByRole('button', { name: 'Show this range' }).click();
  const start = Date.UTC(2026, 10, 20, 14);
  await page().waitForFunction((from) => location.search.includes(`range=${from}-`), start);
  await page().getByRole('button', { name: 'One window earlier' }).click();
  await page().waitForFunction(
    (from) => location.search.includes(`range=${from - 3_600_000}-${from}`),
    start,
  );
});

test('exports point at the API, under whatever prefix the page lives', async () => {
  await open('./?service=payments');
  await page().getByRole('button', { name: 'Export' }).click();
  const href = await page().getByRole('menuitem', { name: /pprof/ }).getAttribute('href');
  const url = new URL(href!);
  assert.equal(url.pathname, '/v1/export');
  assert.equal(url.searchParams.get('format'), 'pprof');
  assert.equal(url.searchParams.get('selector'), '{service_name="payments"}');
  await page().keyboard.press('Escape');
  await page().getByRole('button', { name: 'Export' }).click();
  const download = page().waitForEvent('download');
  await page().getByRole('menuitem', { name: 'Picture (SVG)' }).click();
  const file = await (await download).path();
  const svg = await (await import('node:fs/promises')).readFile(file, 'utf8');
  assert.match(svg, /^<svg .*<\/svg>$/s);
  assert.match(svg, /<title>runtime\.main — total/);
});

test('the completeness badge says what is missing in the words of the API', async () => {
  fake.mode = 'partial';
  try {
    await open('./?service=payments');
    await page()
      .getByRole('button', { name: /^Completeness: Partial: 2 blocks missing, 1 block corrupt/ })
      .click();
    const panel = page().getByRole('dialog', { name: 'Completeness of this answer' });
    await panel.getByText('samplesLost').waitFor();
    await panel.getByText('block 01HZX2 is quarantined').waitFor();
  } finally {
    fake.mode = 'data';
  }
});

test('an answer that was cut at the limit is gone on with', async () => {
  fake.mode = 'cut';
  try {
    await open('./?service=payments');
    const badge = page().getByRole('button', { name: 'Completeness: Partial: the newest part only' });
    await badge.click();
    const panel = page().getByRole('dialog', { name: 'Completeness of this answer' });
    await panel.getByText('steps of up to 5m').waitFor();
    await panel.getByRole('button', { name: 'Continue with what is older' }).click();
    await page().getByText('The graph shows the brushed part of the range.').waitFor();
    const [start, end] = new URL(page().url()).searchParams.get('sel')!.split('-').map(Number);
    assert.equal(end - start, 1_800_000, 'the older half of an hour');
  } finally {
    fake.mode = 'data';
  }
});

test('the tooltip has name, module and values; Shift freezes it', async () => {
  await open('./?service=payments');
  const box = (await page().locator('#flame-graph').boundingBox())!;
  await page().mouse.move(box.x + 30, box.y + 27);
  const tooltip = page().locator('.tooltip');
  await tooltip.waitFor();
  assert.match((await tooltip.textContent())!, /^runtime\.mainruntime · paymentsTotal.*of all.*Self.*Cores/);
  await page().keyboard.press('Shift');
  await page().locator('.tooltip-frozen').waitFor();
  await page().mouse.move(box.x + 200, box.y + 120);
  assert.match((await tooltip.textContent())!, /^runtime\.main/);
  await page().keyboard.press('Shift');
  await page().locator('.tooltip-frozen').waitFor({ state: 'detached' });
});

test('theme and its colours change, and are kept', async () => {
  await open('./?service=payments');
  const background = () => page().evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = await background();
  await page()
    .getByRole('button', { name: /^Theme/ })
    .click();
  await page()
    .getByRole('button', { name: /^Theme/ })
    .click();
  await page().getByText('Theme: dark').waitFor();
  assert.notEqual(await background(), before);
  await page().reload();
  assert.equal(await page().evaluate(() => document.documentElement.dataset.theme), 'dark');
  await page()
    .getByRole('button', { name: /^Theme/ })
    .click();
});

test('a stack of 20,000 frames is drawn to its end', async () => {
  fake.mode = 'deep';
  fake.nodes = 20_000;
  try {
    await open('./?service=payments&view=flame');
    await page()
      .locator('#flame-graph')
      .evaluate((element) => {
        element.scrollTop = element.scrollHeight;
      });
    await page().waitForFunction(() => document.querySelector('#flame-graph')!.scrollTop > 100_000);
    await moreColorsAt(100, 1);
    await page().keyboard.press('Tab');
  } finally {
    fake.mode = 'data';
    fake.nodes = 5000;
  }
});

test('the page never complained', async () => {
  assert.deepEqual(browser.complaints, []);
  assert.ok((await liveText()) !== null);
});
