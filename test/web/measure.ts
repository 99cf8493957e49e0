import type { Page } from 'playwright-core';
import { openBrowser, waitForGraph } from './browser.ts';
import { startFakeApi } from './fake-api.ts';
import { loadedFiles } from './first-view.ts';

// Prints how fast the page is, over made-up trees, without a GPU:
//   settled  from the tree's bytes in the page to the last paint or long task that they cause
//   zoom     from a click on a frame to the next paint (Event Timing, in steps of 8 ms), animation off and on
//   search   from the last letter to the painted matches
//   first view  gzip size of everything that the first view loads
// node test/web/measure.ts [nodes …]

const RUNS = 5;

interface Timing {
  settled: number;
  longest: number;
}

/** Observers that run before the page's own code. */
function watch(): void {
  const seen = { tasks: [] as { start: number; end: number }[], clicks: [] as number[] };
  Object.assign(window, { seen });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      seen.tasks.push({ start: entry.startTime, end: entry.startTime + entry.duration });
    }
  }).observe({ type: 'longtask', buffered: true });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (entry.name === 'click') seen.clicks.push(entry.duration);
  }).observe({ type: 'event', durationThreshold: 16, buffered: true } as PerformanceObserverInit);
}

async function settle(page: Page, url: string): Promise<Timing> {
  await page.goto(url);
  await waitForGraph(page);
  await page.waitForSelector('#top-table .virtual .grid-row');
  await page.waitForTimeout(400);
  return page.evaluate(() => {
    const mark = (name: string) => performance.getEntriesByName(`cinderblock:${name}`)[0].startTime;
    const { tasks } = (window as unknown as { seen: { tasks: { start: number; end: number }[] } }).seen;
    const after = tasks.filter((task) => task.end > mark('bytes'));
    return {
      settled: Math.max(mark('painted'), ...after.map((task) => task.end)) - mark('bytes'),
      longest: Math.max(0, ...after.map((task) => task.end - task.start)),
    };
  });
}

async function zoom(page: Page): Promise<number> {
  const box = (await page.locator('#flame-graph').boundingBox())!;
  await page.evaluate(() => {
    (window as unknown as { seen: { clicks: number[] } }).seen.clicks.length = 0;
  });
  await page.mouse.click(box.x + box.width * 0.15, box.y + 3 * 18 + 9);
  await page.waitForTimeout(500);
  const durations = await page.evaluate(
    () => (window as unknown as { seen: { clicks: number[] } }).seen.clicks,
  );
  // Interactions under 16 ms are not reported.
  return Math.max(16, ...durations);
}

async function search(page: Page): Promise<number> {
  await page.getByRole('searchbox').fill('json');
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const began = performance.now();
        const look = () => {
          if (/functions$/.test(document.querySelector('#search-result')?.textContent ?? '')) {
            requestAnimationFrame(() => resolve(performance.now() - began));
          } else requestAnimationFrame(look);
        };
        look();
      }),
  );
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

async function firstViewBytes(): Promise<number> {
  const fake = await startFakeApi({ nodes: 1000 });
  const browser = await openBrowser();
  try {
    return (await loadedFiles(browser.page, `${fake.url}?service=payments`)).bytes;
  } finally {
    await browser.close();
    await fake.close();
  }
}

async function measure(nodes: number, motion: 'reduce' | 'no-preference') {
  const fake = await startFakeApi({ nodes });
  const browser = await openBrowser({ reducedMotion: motion });
  try {
    await browser.page.addInitScript(watch);
    const url = `${fake.url}?service=payments&live=off`;
    await settle(browser.page, url);
    const timings: Timing[] = [];
    const zooms: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      timings.push(await settle(browser.page, url));
      zooms.push(await zoom(browser.page));
    }
    return {
      settled: median(timings.map((timing) => timing.settled)),
      longest: median(timings.map((timing) => timing.longest)),
      zoom: median(zooms),
      search: await search(browser.page),
    };
  } finally {
    await browser.close();
    await fake.close();
  }
}

const sizes = process.argv.slice(2).map(Number).filter(Boolean);
console.log(`first view ${((await firstViewBytes()) / 1024).toFixed(1)} KiB gzip (HTML, CSS, JS and worker)`);
for (const nodes of sizes.length > 0 ? sizes : [100_000, 500_000]) {
  const still = await measure(nodes, 'reduce');
  const moving = await measure(nodes, 'no-preference');
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  console.log(
    `${nodes} nodes: settled ${ms(still.settled)} (longest task ${ms(still.longest)}), ` +
      `zoom click to next paint ${ms(still.zoom)}, with animation ${ms(moving.zoom)}, search ${ms(still.search)}`,
  );
}
