import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser, type TestBrowser, waitForGraph } from './browser.ts';
import { type FakeApi, startFakeApi } from './fake-api.ts';

// Magnifying and moving the flame graph by wheel, drag, minimap and keys, and how each becomes the URL.

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

async function open(query = ''): Promise<{ x: number; y: number; width: number; height: number }> {
  await page().goto(new URL(`./?service=payments&view=flame${query}`, fake.url).href);
  await waitForGraph(page());
  return (await page().locator('#flame-graph').boundingBox())!;
}

/** The part in the URL, once it is there and not the one given. */
async function partOtherThan(before: string | null): Promise<{ text: string; x0: number; x1: number }> {
  await page().waitForFunction((old) => {
    const now = new URLSearchParams(location.search).get('x');
    return now !== null && now !== old;
  }, before);
  const text = new URL(page().url()).searchParams.get('x')!;
  const [x0, x1] = text.split('-').map(Number);
  return { text, x0, x1 };
}

/** Waits until a gesture rests at a part, and the graph is painted with it; a slow one stops at others on its way. */
async function partNear(x0: number, x1: number): Promise<string> {
  await page().waitForFunction(
    (wanted) => {
      const now = new URLSearchParams(location.search).get('x')?.split('-').map(Number);
      return now !== undefined && wanted.every((share, i) => Math.abs(share - now[i]) < 0.004);
    },
    [x0, x1],
  );
  const text = new URL(page().url()).searchParams.get('x')!;
  await painted(text);
  return text;
}

async function noPart(): Promise<void> {
  await page().waitForFunction(() => !new URLSearchParams(location.search).has('x'));
}

/** Waits until the minimap, and with it the graph, was painted with a part. */
async function painted(part: string): Promise<void> {
  await page().waitForFunction((text) => {
    const now = document.querySelector<HTMLElement>('.minimap')?.dataset.painted ?? '';
    const round = (list: string) => list.split('-').map((share) => Number(share).toFixed(4));
    return round(now).join() === round(text).join();
  }, part);
}

async function hoveredName(x: number, y: number): Promise<string> {
  await page().mouse.move(x, y + 1);
  await page().mouse.move(x, y);
  await page().locator('.tooltip').waitFor();
  return (await page().locator('.tooltip').textContent())!;
}

test('Ctrl+wheel magnifies around the pointer, the URL keeps it, Back undoes it', async () => {
  const box = await open();
  const [x, y] = [box.x + box.width * 0.3, box.y + 4.5 * 18];
  const name = await hoveredName(x, y);
  await page().keyboard.down('Control');
  await page().mouse.wheel(0, -100);
  await page().mouse.wheel(0, -100);
  await page().keyboard.up('Control');
  // Two notches; a slow page may make two steps of them.
  await page().waitForFunction(() => {
    const [x0, x1] = (new URLSearchParams(location.search).get('x') ?? '0-1').split('-').map(Number);
    return x1 - x0 < 0.4;
  });
  const part = await partOtherThan(null);
  await painted(part.text);
  assert.equal(await hoveredName(x, y), name, 'the frame under the pointer is the same');
  await page().reload();
  await waitForGraph(page());
  await painted(part.text);
  assert.equal(new URL(page().url()).searchParams.get('x'), part.text);
  await page().goBack();
  await noPart();
});

test('a plain wheel scrolls and magnifies nothing', async () => {
  fake.mode = 'deep';
  try {
    const box = await open();
    await page().mouse.move(box.x + 300, box.y + 100);
    await page().mouse.wheel(0, 200);
    await page().waitForFunction(() => document.querySelector('#flame-graph')!.scrollTop > 0);
    assert.equal(new URL(page().url()).searchParams.get('x'), null);
  } finally {
    fake.mode = 'data';
  }
});

test('a drag moves a magnified graph and is no click; a sideways wheel moves it too', async () => {
  const box = await open('&x=0.2-0.4');
  await painted('0.2-0.4');
  await page().mouse.move(box.x + 600, box.y + 100);
  await page().mouse.down();
  await page().mouse.move(box.x + 500, box.y + 100, { steps: 4 });
  await page().mouse.up();
  const x0 = 0.2 + (100 / box.width) * 0.2;
  const dragged = await partNear(x0, x0 + 0.2);
  assert.ok(!page().url().includes('zoom='), 'nothing was clicked');
  await page().mouse.wheel(120, 0);
  const wheeled = await partOtherThan(dragged);
  assert.ok(wheeled.x0 > x0);
});

test('keys magnify, move and come back one step at a time', async () => {
  await open();
  await page().locator('#flame-graph').focus();
  await page().keyboard.press('+');
  const magnified = await partOtherThan(null);
  assert.equal(magnified.text, '0.25-0.75');
  await page().keyboard.press('a');
  assert.equal((await partOtherThan(magnified.text)).text, '0.125-0.625');
  await page().keyboard.press('Shift+ArrowRight');
  assert.equal((await partOtherThan('0.125-0.625')).text, '0.25-0.75');
  await page().waitForFunction(() =>
    /Showing 50\.0 % of the width, from 25\.0 %/.test(document.querySelector('#live')!.textContent!),
  );
  await page().keyboard.press('-');
  await noPart();
  await page().keyboard.press('+');
  await partOtherThan(null);
  await page().keyboard.press('Escape');
  await noPart();
});

test('zooming to a frame ends a part, and Esc leaves the part before the zoom', async () => {
  const box = await open('&x=0-0.5');
  await painted('0-0.5');
  await page().mouse.click(box.x + box.width * 0.3, box.y + 4.5 * 18);
  await page().waitForFunction(() => location.search.includes('zoom='));
  await noPart();
  await page().locator('#flame-graph').focus();
  await page().keyboard.press('+');
  await partOtherThan(null);
  await page().keyboard.press('Escape');
  await noPart();
  assert.ok(page().url().includes('zoom='));
});

test('the minimap draws a window, moves it, and shows the whole again', async () => {
  await open();
  const box = (await page().locator('.minimap').boundingBox())!;
  const drag = async (from: number, to: number) => {
    await page().mouse.move(box.x + box.width * from, box.y + 14);
    await page().mouse.down();
    await page().mouse.move(box.x + box.width * to, box.y + 14, { steps: 4 });
    await page().mouse.up();
  };
  await drag(0.2, 0.4);
  await partNear(0.2, 0.4);
  await drag(0.3, 0.6);
  await partNear(0.5, 0.7);
  await drag(0.7, 0.9);
  await partNear(0.5, 0.9);
  await page().mouse.dblclick(box.x + box.width * 0.6, box.y + 14);
  await noPart();
});

test('the sandwich magnifies by itself', async () => {
  await page().goto(
    new URL('./?service=payments&view=sandwich&fn=encoding/json.(*decodeState).Encode4403', fake.url).href,
  );
  const half = page().getByRole('application', { name: /^Callees of/ });
  await half.locator('canvas[data-painted]').waitFor();
  const box = (await half.boundingBox())!;
  const name = await hoveredName(box.x + box.width * 0.3, box.y + 9 + 18);
  const picture = () => half.locator('canvas').evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
  // The outline of the hovered frame may be painted after its tooltip is there.
  let before = '';
  for (let now = await picture(); now !== before; now = await picture()) {
    before = now;
    await page().evaluate(() => new Promise((done) => requestAnimationFrame(done)));
  }
  await page().keyboard.down('Control');
  await page().mouse.wheel(0, -100);
  await page().keyboard.up('Control');
  await page().waitForFunction(
    (old) => document.querySelectorAll<HTMLCanvasElement>('.flame-canvas')[1].toDataURL() !== old,
    before,
  );
  assert.equal(await hoveredName(box.x + box.width * 0.3, box.y + 9 + 18), name);
  assert.equal(new URL(page().url()).searchParams.get('x'), null);
});

test('the page never complained', () => assert.deepEqual(browser.complaints, []));
