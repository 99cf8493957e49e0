import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import AxeBuilder from '@axe-core/playwright';
import { openBrowser, type TestBrowser, waitForGraph } from './browser.ts';
import { type FakeApi, type FakeMode, startFakeApi } from './fake-api.ts';

// axe finds nothing on any page, in both themes, at two widths, and with each panel open.

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

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

interface Scene {
  name: string;
  path: string;
  mode?: FakeMode;
  ready: string;
  open?: (browser: TestBrowser) => Promise<unknown>;
}

const GRAPH = '#flame-graph canvas[data-painted]';
const SCENES: Scene[] = [
  { name: 'explore', path: './?service=payments', ready: GRAPH },
  { name: 'search, filter and steps', path: './?service=payments&q=json&f=pod==x&do=invert', ready: GRAPH },
  {
    name: 'coloured by kind, flipped',
    path: './?service=payments&colour=kind&flip=1',
    ready: '.legend-entry',
  },
  { name: 'tree', path: './?service=payments&view=tree', ready: '#tree-view .cell-value' },
  {
    name: 'sandwich',
    path: './?service=payments&view=sandwich&fn=runtime.main',
    ready: '.sandwich canvas[data-painted]',
  },
  { name: 'magnified', path: './?service=payments&x=0.2-0.4&q=json', ready: GRAPH },
  { name: 'split timeline', path: './?service=payments&split=pod', ready: '.split-entry' },
  {
    name: 'heatmap',
    path: './?service=payments&split=pod&chart=heatmap',
    ready: '.heatmap-canvas[data-painted]',
  },
  { name: 'diff', path: './diff?service=payments', ready: GRAPH },
  { name: 'clusters', path: './clusters', ready: '.data-table' },
  { name: 'empty', path: './', mode: 'empty', ready: '.empty' },
  { name: 'nothing here', path: './?service=payments', mode: 'other-range', ready: '.empty' },
  { name: 'error', path: './?service=payments', mode: 'error', ready: '[role=alert]' },
  {
    name: 'partial, with details',
    path: './?service=payments',
    mode: 'partial',
    ready: GRAPH,
    open: ({ page }) => page.getByRole('button', { name: /^Completeness/ }).click(),
  },
  {
    name: 'range picker',
    path: './?service=payments',
    ready: GRAPH,
    open: ({ page }) => page.getByRole('button', { name: /^Time range/ }).click(),
  },
  {
    name: 'service picker',
    path: './?service=payments',
    ready: GRAPH,
    open: ({ page }) => page.getByRole('combobox', { name: 'Service' }).click(),
  },
  {
    name: 'filter form',
    path: './?service=payments',
    ready: GRAPH,
    open: ({ page }) => page.getByRole('button', { name: '+ filter' }).click(),
  },
  {
    name: 'export menu',
    path: './?service=payments',
    ready: GRAPH,
    open: ({ page }) => page.getByRole('button', { name: 'Export' }).click(),
  },
  {
    name: 'help',
    path: './?service=payments',
    ready: GRAPH,
    open: ({ page }) => page.getByRole('button', { name: 'Keys and help' }).click(),
  },
];

async function show(scene: Scene): Promise<void> {
  fake.mode = scene.mode ?? 'data';
  await browser.page.goto(new URL(scene.path, fake.url).href);
  await browser.page.waitForSelector(scene.ready);
  await scene.open?.(browser);
  await browser.page.waitForTimeout(60);
}

async function violations(): Promise<string[]> {
  const { violations: found } = await new AxeBuilder({ page: browser.page }).withTags(TAGS).analyze();
  return found.map(({ id, help, nodes }) => `${id}: ${help} (${nodes.map((node) => node.html).join(' | ')})`);
}

for (const width of [1440, 768]) {
  for (const colorScheme of ['light', 'dark'] as const) {
    // A panel that floats looks the same at any width.
    for (const scene of SCENES.filter(({ open }) => width === 1440 || !open)) {
      test(`axe: ${scene.name}, ${colorScheme}, ${width} px`, async () => {
        await browser.page.setViewportSize({ width, height: 900 });
        await browser.page.emulateMedia({ colorScheme });
        await show(scene);
        assert.deepEqual(await violations(), []);
      });
    }
  }
}

test('Tab reaches everything and is never trapped', async () => {
  await browser.page.setViewportSize({ width: 1440, height: 900 });
  fake.mode = 'data';
  await browser.page.goto(new URL('./?service=payments', fake.url).href);
  await waitForGraph(browser.page);
  const seen: string[] = [];
  for (let i = 0; i < 60; i++) {
    await browser.page.keyboard.press('Tab');
    seen.push(
      await browser.page.evaluate(() => {
        const active = document.activeElement;
        return active === document.body || !active
          ? 'out'
          : active.id || active.textContent?.trim().slice(0, 20) || active.tagName;
      }),
    );
    if (seen.at(-1) === 'out') break;
  }
  assert.deepEqual(seen.slice(0, 2), ['Skip to content', 'Show the graph as a ']);
  for (const id of ['search', 'flame-graph', 'top-table', 'export-menu'])
    assert.ok(seen.includes(id), `${id} in ${seen}`);
  assert.equal(seen.at(-1), 'out', 'Tab leaves the page at its end');
});

test('the skip link shows the graph as a table and moves there', async () => {
  await browser.page.goto(new URL('./?service=payments', fake.url).href);
  await waitForGraph(browser.page);
  await browser.page.keyboard.press('Tab');
  await browser.page.keyboard.press('Tab');
  await browser.page.keyboard.press('Enter');
  await browser.page.waitForFunction(() => document.activeElement?.id === 'tree-view');
});

test('the page fits at 200 % zoom and with forced colours', async () => {
  await browser.page.setViewportSize({ width: 720, height: 450 });
  await browser.page.emulateMedia({ forcedColors: 'active' });
  await browser.page.goto(new URL('./?service=payments', fake.url).href);
  await waitForGraph(browser.page);
  const overflow = await browser.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px wider than its window`);
  await browser.page.emulateMedia({ forcedColors: 'none' });
});
