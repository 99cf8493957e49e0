import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser, type TestBrowser, waitForGraph } from './browser.ts';
import { type FakeApi, startFakeApi } from './fake-api.ts';

// The timeline split by a label: chosen, painted, told, and used as a way to a filter.

let fake: FakeApi;
let browser: TestBrowser;

before(async () => {
  fake = await startFakeApi({ nodes: 1000 });
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await fake?.close();
});

const page = () => browser.page;
const legend = () => page().getByRole('list', { name: 'Timeline by pod' });

async function open(query: string): Promise<void> {
  await page().goto(new URL(`./?service=payments${query}`, fake.url).href);
  await waitForGraph(page());
}

/** Waits until the timeline's bars have a colour of the style sheet, or none of it. */
async function paintedWith(variable: string, wanted = true): Promise<void> {
  await page().waitForFunction(
    ([name, isWanted]) => {
      const canvas = document.querySelector<HTMLCanvasElement>('.timeline-canvas')!;
      const hex = getComputedStyle(canvas).getPropertyValue(`--${name}`).trim();
      const rgb = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
      const data = window.canvasPixels('.timeline-canvas', 0, 0);
      let found = 0;
      for (let i = 0; i < data.length; i += 4) {
        if (rgb.every((part, channel) => data[i + channel] === part)) found++;
      }
      return found > 50 === isWanted;
    },
    [variable, wanted] as const,
  );
}

test('a label splits the bars; the legend says how much each value has; the URL keeps it', async () => {
  await open('');
  await paintedWith('chart-bar');
  const picker = page().getByRole('combobox', { name: 'Split the timeline by' });
  await picker.click();
  await page().getByRole('option', { name: 'pod' }).click();
  await legend().waitFor();
  assert.equal(new URL(page().url()).searchParams.get('split'), 'pod');
  const entries = await legend().getByRole('listitem').allTextContents();
  assert.equal(entries.length, 7);
  assert.match(entries[0], /^pod-1 \d+\.\d %$/);
  assert.match(entries[6], /^others \d+\.\d %$/);
  const shares = entries.map((text) => Number.parseFloat(/([\d.]+) %$/.exec(text)![1]));
  assert.ok(Math.abs(shares.reduce((sum, share) => sum + share) - 100) < 0.5, entries.join());
  await paintedWith('part-2');
  await paintedWith('part-rest');
  await page().reload();
  await legend().waitFor();
  await paintedWith('part-2');
});

test('the keyboard reads the parts of a bucket', async () => {
  await open('&split=pod');
  await legend().waitFor();
  await page().locator('.timeline-box').focus();
  await page().keyboard.press('Home');
  await page().waitForFunction(() =>
    /cores, \d+ samples: pod-1 .*cores, pod-2 .*cores, pod-3 .*cores/.test(
      document.querySelector('#live')!.textContent!,
    ),
  );
});

test('a value of the legend becomes the filter', async () => {
  await open('&split=pod');
  await legend()
    .getByRole('button', { name: /^pod-2/ })
    .click();
  await page().locator('.chip').getByText('pod="pod-2"').waitFor();
  await legend().waitFor({ state: 'detached' });
  assert.equal(new URL(page().url()).searchParams.get('split'), null);
  await paintedWith('part-2', false);
  await page().goBack();
  await legend().waitFor();
});

test('a split that fails says why and leaves the bars', async () => {
  await page().route('**/querier.v1.QuerierService/SelectSeries', (route) =>
    route.fulfill({ status: 200, contentType: 'application/json', body: '<html>' }),
  );
  await open('&split=pod');
  await page()
    .getByText(/^It could not be split: /)
    .waitFor();
  await paintedWith('chart-bar');
  await page().unroute('**/querier.v1.QuerierService/SelectSeries');
});

test('splitting by nothing brings the plain bars back', async () => {
  await open('&split=pod');
  await paintedWith('part-2');
  const picker = page().getByRole('combobox', { name: 'Split the timeline by' });
  await picker.click();
  await page().getByRole('option', { name: 'nothing' }).click();
  await legend().waitFor({ state: 'detached' });
  await paintedWith('part-2', false);
});

test('a heatmap has a row for each value; keys read it, Enter shows only the row', async () => {
  await open('&split=pod');
  await legend().waitFor();
  await page().getByRole('button', { name: 'Heatmap' }).click();
  const heatmap = page().getByRole('application', { name: /^Heatmap by pod, 3[01] rows/ });
  await heatmap.locator('canvas[data-painted=pod]').waitFor();
  assert.equal(new URL(page().url()).searchParams.get('chart'), 'heatmap');
  await paintedWith('chart-bar');
  await page().waitForFunction(() => {
    const data = window.canvasPixels('.heatmap-canvas', 0, 0);
    const colors = new Set<number>();
    for (let i = 0; i < data.length; i += 4) colors.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return colors.size > 12;
  });
  await heatmap.focus();
  await page().keyboard.press('ArrowDown');
  await page().keyboard.press('ArrowDown');
  await page().waitForFunction(() =>
    /^pod-2, .*: [\d.]+ m?cores$/.test(document.querySelector('#live')!.textContent!),
  );
  await page().keyboard.press('Enter');
  await page().locator('.chip').getByText('pod="pod-2"').waitFor();
  await heatmap.waitFor({ state: 'detached' });
  await page().goBack();
  await heatmap.locator('canvas[data-painted=pod]').waitFor();
  const box = (await heatmap.boundingBox())!;
  await page().mouse.click(box.x + box.width / 3, box.y + 2.5 * 16);
  await page().locator('.chip').getByText('pod="pod-3"').waitFor();
});

test('the page never complained', () => assert.deepEqual(browser.complaints, []));
