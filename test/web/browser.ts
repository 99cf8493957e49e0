import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import chromium from '@sparticuz/chromium';
import { type BrowserContext, chromium as driver, type Page } from 'playwright-core';

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface BrowserOptions {
  width?: number;
  height?: number;
  colorScheme?: 'light' | 'dark';
  reducedMotion?: 'reduce' | 'no-preference';
  scale?: number;
}

export interface TestBrowser {
  context: BrowserContext;
  page: Page;
  /** Errors and warnings of the page's console, and uncaught exceptions. */
  complaints: string[];
  close(): Promise<void>;
}

/** A Chromium of its own, with a profile of its own. CHROMIUM_PATH chooses another than the one from npm. */
export async function openBrowser(options: BrowserOptions = {}): Promise<TestBrowser> {
  const profile = await mkdtemp(join(tmpdir(), 'cinderblock-browser-'));
  const context = await driver.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM_PATH ?? (await chromium.executablePath()),
    headless: true,
    args: ARGS,
    viewport: { width: options.width ?? 1440, height: options.height ?? 900 },
    colorScheme: options.colorScheme ?? 'light',
    reducedMotion: options.reducedMotion ?? 'reduce',
    deviceScaleFactor: options.scale ?? 1,
    timezoneId: 'UTC',
    locale: 'en-GB',
  });
  const complaints: string[] = [];
  const page = context.pages()[0] ?? (await context.newPage());
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.setDefaultTimeout(10_000);
  return {
    context,
    page,
    complaints,
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Waits until the flame graph has been painted with data. */
export async function waitForGraph(page: Page): Promise<void> {
  await page.waitForSelector('#flame-graph canvas[data-painted]');
}
