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

/**
 * A Chromium of its own, with a profile of its own. CHROMIUM_PATH chooses another than the one from npm;
 * CINDERBLOCK_SLOWDOWN=6 makes the page's processor six times slower, which finds tests that do not wait.
 */
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
  await context.addInitScript(defineCanvasPixels);
  const page = context.pages()[0] ?? (await context.newPage());
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.setDefaultTimeout(10_000);
  await slowDown(page);
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

/** Makes the page's processor as many times slower; 1 is as it is. */
export async function slowDown(page: Page, rate = Number(process.env.CINDERBLOCK_SLOWDOWN ?? 1)) {
  const session = await page.context().newCDPSession(page);
  await session.send('Emulation.setCPUThrottlingRate', { rate });
}

declare global {
  interface Window {
    /** RGBA bytes of a part of a canvas, in its own pixels. */
    canvasPixels(selector: string, x: number, y: number, width?: number, height?: number): Uint8ClampedArray;
  }
}

/**
 * Reads through a canvas made for reading: reading the page's own again and again makes Chromium complain, and slows it.
 * What is painted comes a frame after what is written, so a test asks until the pixels are right, never once.
 */
function defineCanvasPixels(): void {
  window.canvasPixels = (selector, x, y, width, height) => {
    const canvas = document.querySelector<HTMLCanvasElement>(selector)!;
    const scratch = document.createElement('canvas');
    scratch.width = width ?? canvas.width;
    scratch.height = height ?? canvas.height;
    const context = scratch.getContext('2d', { willReadFrequently: true })!;
    context.drawImage(canvas, -x, -y);
    return context.getImageData(0, 0, scratch.width, scratch.height).data;
  };
}

/** Waits until the flame graph has been painted with data. */
export async function waitForGraph(page: Page): Promise<void> {
  await page.waitForSelector('#flame-graph canvas[data-painted]');
}
