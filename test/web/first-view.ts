import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { builtPage } from './built-page.ts';

/** Files of the built page that one visit loads, its worker too, and their size with gzip. */
export async function loadedFiles(page: Page, url: string): Promise<{ paths: string[]; bytes: number }> {
  const paths = new Set(['/index.html']);
  const note = (request: { url(): string }) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith('/assets/') || pathname === '/config.json') paths.add(pathname);
  };
  page.context().on('request', note);
  await page.goto(url);
  await page.waitForSelector('#flame-graph canvas[data-painted]');
  page.context().off('request', note);
  const files = await builtPage();
  let bytes = 0;
  for (const path of paths) bytes += gzipSync(files.get(path)!).length;
  return { paths: [...paths], bytes };
}
