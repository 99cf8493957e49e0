import { HttpError } from '../api/error-response.ts';

const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

/** Whether a host that a server is told to listen on is reached from this machine only. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host) || host === '::1';
}

/**
 * Every web page in a local browser can reach a local server, and a browser adds the credentials it remembers. So a
 * browser's request must come from one of our own pages. Tools do not send `Origin`, and pass.
 * @throws HttpError 403
 */
export function refuseForeignPages({ method, headers }: Request): void {
  const origin = headers.get('origin');
  if (origin === null) {
    const isForeign = headers.get('sec-fetch-site') === 'cross-site' && method !== 'GET' && method !== 'HEAD';
    if (isForeign) refuse('requests of other sites are refused');
    return;
  }
  const host = originHost(origin);
  // Pages cannot set X-Forwarded-Host on a request that a browser sends to another site unasked.
  if (host === headers.get('host') || host === headers.get('x-forwarded-host')) return;
  refuse(`requests of pages from ${origin} are refused`);
}

/**
 * An open server on loopback trusts whoever reaches it. A foreign name that was pointed at 127.0.0.1 makes a foreign
 * page look like our own, so only names of this machine are answered.
 * @throws HttpError 403
 */
export function refuseForeignNames({ headers }: Request, listensOn: string): void {
  const host = (headers.get('host') ?? '').replace(/:\d+$/, '').toLowerCase();
  if (host === '' || isLoopback(host) || host === listensOn.toLowerCase()) return;
  refuse(
    `the host name ${host} is not this machine's; to answer to other names, set a token or start with --open`,
  );
}

function originHost(origin: string): string {
  try {
    return new URL(origin).host;
  } catch {
    return '';
  }
}

function refuse(message: string): never {
  throw new HttpError(403, 'permission_denied', message);
}
