import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { acceptsGzip } from '../api/accept-encoding.ts';
import { gzip } from '../api/gunzip.ts';

/** Nothing but our own files, nothing inline; styles and scripts that a profile's names smuggle in do not run. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const CONTENT_TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.map': 'application/json',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
};

const COMPRESSED_TYPES = /^(text\/|application\/json|image\/svg)/;

interface WebFile {
  bytes: Uint8Array<ArrayBuffer>;
  zipped: Uint8Array<ArrayBuffer> | undefined;
  contentType: string;
}

export interface WebFiles {
  /** The file of a path below the prefix, or the page for a path that names no file; undefined where there is none. */
  respond(request: Request, path: string): Promise<Response | undefined>;
}

/**
 * Files of a built web page, read once and kept: they are few and small, and only what is in the folder can be asked for.
 * @throws when the folder or its index.html is not there
 */
export async function openWebFiles(folder: string): Promise<WebFiles> {
  const files = new Map<string, WebFile>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    files.set(`/${relative(folder, file).split(sep).join('/')}`, await readWebFile(file));
  }
  const page = files.get('/index.html');
  if (!page) throw new Error(`${folder} has no index.html`);
  return {
    async respond(request, path) {
      const file = files.get(path);
      if (file) return fileResponse(request, file, path.startsWith('/assets/'));
      // The page reads its state from the URL, so every path without an extension is the page.
      return extname(path) === '' ? fileResponse(request, page, false) : undefined;
    },
  };
}

async function readWebFile(file: string): Promise<WebFile> {
  const bytes = new Uint8Array(await readFile(file));
  const contentType = CONTENT_TYPES[extname(file)] ?? 'application/octet-stream';
  const zipped = COMPRESSED_TYPES.test(contentType) ? gzip(bytes, 9) : undefined;
  return { bytes, zipped, contentType };
}

/** Assets carry a hash of their content in their name, so they never change; all else is asked for each time. */
function fileResponse(request: Request, file: WebFile, isImmutable: boolean): Response {
  const headers = new Headers({
    ...pageHeaders(),
    'content-type': file.contentType,
    vary: 'accept-encoding',
  });
  headers.set('cache-control', isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache');
  if (!file.zipped || !acceptsGzip(request)) return new Response(file.bytes, { headers });
  headers.set('content-encoding', 'gzip');
  return new Response(file.zipped, { headers });
}

/** What stands in for the page while it is being built, or when it cannot be. */
export function placeholder(message: string): Response {
  const headers = {
    ...pageHeaders(),
    'content-type': 'text/plain; charset=utf-8',
    refresh: '3',
    'retry-after': '3',
  };
  return new Response(`${message}\n`, { status: 503, headers });
}

function pageHeaders(): Record<string, string> {
  return {
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  };
}
