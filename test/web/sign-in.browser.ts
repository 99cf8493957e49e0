import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, beforeEach, test } from 'node:test';
import AxeBuilder from '@axe-core/playwright';
import { openBrowser, slowDown, type TestBrowser, waitForGraph } from './browser.ts';
import { type FakeApi, startFakeApi } from './fake-api.ts';
import { FAKE_CLIENT_ID, type FakeOidc, startFakeOidc } from './fake-oidc.ts';
import { loadedFiles } from './first-view.ts';

// Signing in where the host of the page names a provider, and nothing of it where it names none.

let fake: FakeApi;
let oidc: FakeOidc;
let browser: TestBrowser;

before(async () => {
  fake = await startFakeApi({ nodes: 2000 });
  oidc = await startFakeOidc();
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await oidc?.close();
  await fake?.close();
});

beforeEach(async () => {
  Object.assign(oidc, { answer: 'code', seconds: 3600, renews: true, asked: [] });
  fake.config = { signIn: { issuer: oidc.issuer, clientId: FAKE_CLIENT_ID } };
  fake.admit = (header) => (header === `Bearer ${oidc.idToken}` ? 200 : 401);
  // A tab of its own has a storage of its own.
  const tab = await browser.context.newPage();
  await browser.page.close();
  browser.page = tab;
  browser.complaints.length = 0;
  tab.setDefaultTimeout(10_000);
  await slowDown(tab);
  tab.on('pageerror', (error) => browser.complaints.push(String(error)));
  fake.requests.length = 0;
});

const page = () => browser.page;
const goto = (path: string) => page().goto(new URL(path, fake.url).href);
const asked = (path: string) => fake.requests.filter((request) => request.startsWith(path)).length;

const VIEW = './diff?service=payments&range=6h&view=flame&q=json';

async function signedIn(path = VIEW): Promise<void> {
  await goto(path);
  await waitForGraph(page());
  await page().locator('.person-name').waitFor();
}

test('a first visit signs in and comes back to the view it was for', async () => {
  await signedIn();
  assert.equal(page().url(), new URL(VIEW, fake.url).href);
  assert.deepEqual(oidc.asked, ['authorize', 'authorization_code']);
  const kept = await page().evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }));
  assert.ok(!kept.includes(oidc.idToken), 'tokens for the API are not stored');
  assert.deepEqual(browser.complaints, []);
});

test('a reload renews the session without leaving the page', async () => {
  await signedIn();
  await page().reload();
  await waitForGraph(page());
  assert.deepEqual(oidc.asked, ['authorize', 'authorization_code', 'refresh_token']);
});

test('a token that ends is renewed once for all requests that need it', async () => {
  oidc.seconds = 20;
  await signedIn('./?service=payments');
  const before = oidc.asked.length;
  oidc.seconds = 3600;
  await page().getByRole('button', { name: 'Refresh', exact: true }).click();
  await page().waitForFunction(
    () => performance.getEntriesByType('resource').filter((e) => e.name.includes('/v1/tree')).length >= 2,
  );
  // Tokens of 20 s are renewed by each load that asks; the one of an hour by nobody.
  const renewals = oidc.asked.length;
  assert.ok(renewals > before);
  await page().getByRole('button', { name: 'Refresh', exact: true }).click();
  await page().waitForFunction(
    () => performance.getEntriesByType('resource').filter((e) => e.name.includes('/v1/tree')).length >= 3,
  );
  assert.equal(oidc.asked.length, renewals);
});

test('a session that expires says so, keeps the view, and comes back to it', async () => {
  // Shorter than the margin before its end: every request wants a new one.
  oidc.seconds = 20;
  await signedIn();
  // The provider and the API have both forgotten this person.
  oidc.renews = false;
  fake.admit = () => 401;
  await page().getByRole('button', { name: 'Refresh', exact: true }).click();
  const banner = page().getByRole('alert').filter({ hasText: 'Your session has expired.' });
  await banner.waitFor();
  assert.ok(await page().locator('#flame-graph').isVisible(), 'the graph stays');
  assert.equal(page().url(), new URL(VIEW, fake.url).href);
  Object.assign(oidc, { renews: true, seconds: 3600 });
  fake.admit = (header) => (header === `Bearer ${oidc.idToken}` ? 200 : 401);
  await banner.getByRole('button', { name: 'Sign in again' }).click();
  await page().waitForURL(new URL(VIEW, fake.url).href);
  await waitForGraph(page());
  await banner.waitFor({ state: 'detached' });
});

test('a token that the API does not take is no access, however new', async () => {
  fake.admit = () => 401;
  await goto('./?service=payments');
  await page().getByRole('alert').filter({ hasText: 'Ada Lovelace has no access here.' }).waitFor();
  assert.deepEqual(oidc.asked, ['authorize', 'authorization_code'], 'and asking for another is of no use');
});

test('who has no access is told so by name, and can change person', async () => {
  fake.admit = () => 403;
  await goto('./?service=payments');
  const banner = page().getByRole('alert').filter({ hasText: 'Ada Lovelace has no access here.' });
  await banner.waitFor();
  await banner.getByRole('button', { name: 'Sign in as someone else' }).click();
  await page().getByRole('heading', { name: 'You are signed out' }).waitFor();
  assert.deepEqual(oidc.asked.slice(-2), ['revoke', 'logout']);
});

test('access that is granted meanwhile is found by trying again', async () => {
  fake.admit = () => 403;
  await goto('./?service=payments');
  const banner = page().getByRole('alert').filter({ hasText: 'has no access here.' });
  await banner.waitFor();
  fake.admit = () => 200;
  await banner.getByRole('button', { name: 'Try again' }).click();
  await waitForGraph(page());
  await banner.waitFor({ state: 'detached' });
});

test('signing out ends the session here and there, and stays signed out', async () => {
  await goto('./clusters');
  await page().getByRole('button', { name: 'Sign out' }).click();
  await page().getByRole('heading', { name: 'You are signed out' }).waitFor();
  assert.deepEqual(oidc.asked.slice(-2), ['revoke', 'logout']);
  const before = oidc.asked.length;
  await page().reload();
  await page().getByRole('heading', { name: 'You are signed out' }).waitFor();
  assert.equal(oidc.asked.length, before, 'nobody is signed in again unasked');
  await page().getByRole('button', { name: 'Sign in' }).click();
  await page().locator('.person-name').waitFor();
});

test('a sign-in that the provider refuses says why and can be tried again', async () => {
  oidc.answer = 'denied';
  await goto(VIEW);
  await page().getByText('Ada is not assigned to this application.').waitFor();
  assert.equal(
    page().url(),
    new URL(VIEW, fake.url).href,
    'the view is not lost, the code not in the address',
  );
  assert.equal(asked('/v1/') + asked('/cinderblock.v1'), 0, 'the API was not asked');
  oidc.answer = 'code';
  await page().getByRole('button', { name: 'Sign in again' }).click();
  await waitForGraph(page());
  assert.equal(page().url(), new URL(VIEW, fake.url).href);
});

test('tokens of another sign-in are not taken', async () => {
  oidc.answer = 'wrong-nonce';
  await goto(VIEW);
  await page().getByText('Signing in failed').waitFor();
  assert.equal(asked('/v1/'), 0);
});

test('an answer that nobody asked for signs nobody in', async () => {
  await goto('./?code=stolen&state=x');
  await page().getByText('This sign-in was begun elsewhere, or was used already.').waitFor();
  assert.equal(page().url(), fake.url);
  assert.deepEqual(oidc.asked, []);
});

test('a provider that is away is named as the problem', async () => {
  fake.config = { signIn: { issuer: 'http://127.0.0.1:1/', clientId: 'x' } };
  await goto('./');
  await page().getByText('The sign-in service does not answer.').waitFor();
});

test('a config.json that is wrong is named with its field', async () => {
  fake.config = { signIn: { issuer: oidc.issuer } };
  await goto('./');
  await page().getByText('signIn.clientId must be a client id').waitFor();
});

test('exports carry the token: a file, not a link', async () => {
  await signedIn('./?service=payments');
  await page().getByRole('button', { name: 'Export' }).click();
  const item = page().getByRole('menuitem', { name: /Folded/ });
  assert.equal(await item.getAttribute('href'), null);
  const coming = page().waitForEvent('download');
  await item.click();
  const download = await coming;
  assert.equal(download.suggestedFilename(), 'stacks.txt');
  assert.equal(await readFile(await download.path(), 'utf8'), 'main 1\n');
});

test('axe: signed in, signed out, expired and refused, in both themes', async () => {
  const check = async (what: string) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page().emulateMedia({ colorScheme });
      await page().waitForFunction((theme) => document.documentElement.dataset.theme === theme, colorScheme);
      const { violations } = await new AxeBuilder({ page: page() })
        .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
        .analyze();
      assert.deepEqual(
        violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`),
        [],
        `${what}, ${colorScheme}`,
      );
    }
  };
  for (const width of [768, 1440]) {
    await page().setViewportSize({ width, height: 900 });
    fake.admit = () => 200;
    oidc.seconds = 20;
    await goto('./?service=payments');
    await waitForGraph(page());
    await check(`signed in, ${width} px`);
    fake.admit = () => 403;
    await page().getByRole('button', { name: 'Refresh', exact: true }).click();
    await page().getByText('has no access here.').waitFor();
    await check(`refused, ${width} px`);
    oidc.renews = false;
    await page().getByRole('button', { name: 'Try again' }).first().click();
    await page().getByText('Your session has expired.').waitFor();
    await check(`expired, ${width} px`);
    await page().getByRole('button', { name: 'Sign out' }).click();
    await page().getByRole('heading', { name: 'You are signed out' }).waitFor();
    await check(`signed out, ${width} px`);
    oidc.renews = true;
    await page().getByRole('button', { name: 'Sign in' }).click();
    await page().locator('.person-name').waitFor();
  }
});

test('without a provider nothing of signing in is loaded, and the first view is small', async () => {
  fake.config = undefined;
  fake.admit = undefined;
  page().on('console', (message) => browser.complaints.push(message.text()));
  const { paths, bytes } = await loadedFiles(page(), new URL('./?service=payments', fake.url).href);
  assert.deepEqual(
    paths.filter((path) => path.includes('oidc')),
    [],
  );
  assert.ok(
    paths.some((path) => path.includes('tree-worker')),
    paths.join(),
  );
  assert.ok(bytes < 70 * 1024, `the first view is ${bytes} bytes with gzip, more than 70 KiB`);
  assert.equal(asked('/config.json'), 1, 'what the page announces in its head is what it fetches');
  assert.equal(await page().getByRole('button', { name: 'Sign out' }).count(), 0);
  assert.deepEqual(browser.complaints, []);
});
