import { signal } from '@preact/signals';
import { ApiError } from '../state/api-error.ts';
import { baseUrl, showUrl } from '../state/navigation.ts';
import type { Grant } from './oidc.ts';
import { readPageConfig, type SignInConfig } from './page-config.ts';
import {
  isSignedOut,
  rememberedRefreshToken,
  rememberPending,
  rememberRefreshToken,
  rememberSignedOut,
  takePending,
} from './remembered.ts';

/** Who uses the page. Tokens live in this module alone; the refresh token also in the storage of the tab. */
export type Session =
  | { kind: 'starting' }
  /** The host of the page asks nobody to sign in. */
  | { kind: 'open' }
  /** On the way to the provider or back. */
  | { kind: 'signing-in' }
  | { kind: 'signing-out' }
  | { kind: 'signed-in'; person: string }
  /** The provider renews no more; what is on screen stays. */
  | { kind: 'expired'; person: string }
  /** Signed in, but the API says that this person may not. */
  | { kind: 'refused'; person: string }
  | { kind: 'signed-out'; problem: string };

export const session = signal<Session>({ kind: 'starting' });

let config: SignInConfig | undefined;
let grant: Grant | undefined;
let renewing: Promise<void> | undefined;
/** Renewed this long before its end, so that no request carries a token that ends on its way. */
const MARGIN_MS = 30_000;
const RENEWED_JUST_NOW_MS = 60_000;
let renewedAt = 0;

/** Requests wait for it. */
let started: () => void;
const ready = new Promise<void>((resolve) => {
  started = resolve;
});

/** Finds out whether this page signs people in, and does so: from an answer, a session that can be renewed, or anew. */
export async function startSession(): Promise<void> {
  const answer = new URLSearchParams(location.search);
  const isAnswer = answer.has('state') && (answer.has('code') || answer.has('error'));
  if (isAnswer) session.value = { kind: 'signing-in' };
  try {
    config = (await readPageConfig()).signIn;
    if (config === undefined) session.value = { kind: 'open' };
    else if (isAnswer) await finish(answer);
    else await resume();
  } catch (error) {
    stop(error instanceof Error ? error.message : String(error));
  }
  started();
}

async function finish(answer: URLSearchParams): Promise<void> {
  const pending = takePending();
  // The code is of no use to anyone now, and must not be shared with the address.
  showUrl(returnUrl(pending?.returnTo));
  if (pending === undefined) return stop('This sign-in was begun elsewhere, or was used already.');
  const oidc = await import('./oidc.ts');
  try {
    keep(await oidc.finishSignIn(config!, answer, pending));
  } catch (error) {
    stop(oidc.signInError(error));
  }
}

/** Only an address of this page, whatever the storage says. */
function returnUrl(text: string | undefined): URL {
  const url = new URL(text ?? baseUrl, baseUrl);
  return url.origin === baseUrl.origin && url.pathname.startsWith(baseUrl.pathname) ? url : baseUrl;
}

async function resume(): Promise<void> {
  if (isSignedOut()) return stop('');
  const token = rememberedRefreshToken();
  if (token === undefined) return signIn();
  const oidc = await import('./oidc.ts');
  try {
    keep(await oidc.renew(config!, token));
  } catch (error) {
    // A provider that is away for a moment has not ended the session: the next load may renew it.
    if (!oidc.isRefusal(error)) {
      session.value = { kind: 'signed-out', problem: oidc.signInError(error) };
      return;
    }
    rememberRefreshToken(undefined);
    await signIn();
  }
}

/** Leaves for the provider; comes back to the view that is on screen now. */
export async function signIn(): Promise<void> {
  const before = session.peek();
  if (before.kind === 'signing-in') return;
  if (config === undefined) return location.reload();
  session.value = { kind: 'signing-in' };
  const oidc = await import('./oidc.ts');
  try {
    const { url, pending } = await oidc.prepareSignIn(config, location.href);
    rememberSignedOut(false);
    if (!rememberPending(pending)) {
      return stop('The browser keeps nothing for this page. Allow session storage to sign in.');
    }
    location.assign(url);
  } catch (error) {
    stop(oidc.signInError(error));
  }
}

export async function signOut(): Promise<void> {
  const ended = grant;
  stop('');
  rememberSignedOut(true);
  session.value = { kind: 'signing-out' };
  const oidc = await import('./oidc.ts');
  const url = await oidc.endSession(config!, ended ?? {}).catch(() => undefined);
  if (url) location.assign(url);
  else stop('');
}

function stop(problem: string): void {
  grant = undefined;
  rememberRefreshToken(undefined);
  session.value = { kind: 'signed-out', problem };
}

function keep(next: Grant): void {
  const { kind, ...rest } = session.peek();
  const known = kind !== 'starting' && 'person' in rest ? rest.person : '';
  grant = next;
  renewedAt = Date.now();
  rememberRefreshToken(next.refreshToken);
  session.value = { kind: 'signed-in', person: next.person ?? known };
}

/** Renews once for all who ask meanwhile. Without a way to renew, the session has expired. */
function renewNow(): Promise<void> {
  renewing ??= (async () => {
    const oidc = await import('./oidc.ts');
    try {
      const token = grant?.refreshToken;
      if (token === undefined) return expire();
      keep(await oidc.renew(config!, token));
    } catch (error) {
      if (oidc.isRefusal(error)) expire();
      else throw new ApiError('unavailable', oidc.signInError(error), 0);
    } finally {
      renewing = undefined;
    }
  })();
  return renewing;
}

function expire(): void {
  const before = session.peek();
  grant = undefined;
  rememberRefreshToken(undefined);
  session.value = { kind: 'expired', person: 'person' in before ? before.person : '' };
}

/** Value of the Authorization header; undefined where nobody signs in. @throws ApiError when no session can be had */
export async function authorization(): Promise<string | undefined> {
  await ready;
  if (session.peek().kind === 'open') return undefined;
  if (grant && grant.expiresAt - Date.now() < MARGIN_MS) {
    await renewNow().catch((error) => {
      if (grant === undefined || grant.expiresAt <= Date.now()) throw error;
    });
  }
  if (grant === undefined) throw new ApiError('unauthenticated', 'Sign in to see this.', 401);
  return `Bearer ${grant.bearer}`;
}

/**
 * The API refused a request with 401 or 403, which gateways mix up: true when it should be asked once more, with a token
 * that has just been renewed.
 */
export async function renewAfterRefusal(): Promise<boolean> {
  if (grant === undefined || isFresh()) return false;
  await renewNow();
  return grant !== undefined;
}

/** A new token would be no better. */
function isFresh(): boolean {
  return Date.now() - renewedAt < RENEWED_JUST_NOW_MS;
}

/** Keeps the session in step with what the API says of it. A fresh token that is not taken is no matter of time. */
export function noteAnswer(status: number): void {
  const now = session.peek();
  if (now.kind !== 'signed-in' && now.kind !== 'refused') return;
  if (status === 401 && !isFresh()) expire();
  else if (status === 401 || status === 403) session.value = { kind: 'refused', person: now.person };
  else if (now.kind === 'refused' && status < 400) session.value = { kind: 'signed-in', person: now.person };
}

/** Whether requests carry a token, so that a plain link would not do. */
export function needsToken(): boolean {
  return config !== undefined;
}
