// What outlives a load of the page, in the storage of its tab alone: a sign-in that is under way, the refresh token, and
// that a person signed out. Access and ID tokens are never stored.

/** A sign-in between leaving for the provider and coming back. */
export interface PendingSignIn {
  state: string;
  nonce: string;
  verifier: string;
  /** Address of the view that the person was on. */
  returnTo: string;
}

/** False where the browser keeps nothing for this page: then no sign-in can come back. */
export function rememberPending(pending: PendingSignIn): boolean {
  return put('pending', JSON.stringify(pending));
}

/** The sign-in that is under way; it can be taken once. */
export function takePending(): PendingSignIn | undefined {
  const text = get('pending');
  put('pending', undefined);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as PendingSignIn);
  } catch {
    return undefined;
  }
}

export function rememberRefreshToken(token: string | undefined): void {
  put('refresh', token);
}

export function rememberedRefreshToken(): string | undefined {
  return get('refresh');
}

/** Who signed out is not signed in again by the next load. */
export function rememberSignedOut(isSignedOut: boolean): void {
  put('signed-out', isSignedOut ? 'yes' : undefined);
}

export function isSignedOut(): boolean {
  return get('signed-out') !== undefined;
}

function get(key: string): string | undefined {
  try {
    return sessionStorage.getItem(`cinderblock.${key}`) ?? undefined;
  } catch {
    return undefined;
  }
}

function put(key: string, value: string | undefined): boolean {
  try {
    if (value === undefined) sessionStorage.removeItem(`cinderblock.${key}`);
    else sessionStorage.setItem(`cinderblock.${key}`, value);
    return true;
  } catch {
    return false;
  }
}
