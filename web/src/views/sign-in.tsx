import { session, signIn, signOut } from '../session/session.ts';
import { refresh } from '../state/profile-model.ts';

/** Stands in for the pages while nobody is signed in. */
export function SignInGate() {
  const now = session.value;
  if (now.kind !== 'signed-out') {
    return (
      <div class="gate" role="status">
        <span class="spinner" aria-hidden="true" />
        {now.kind === 'signing-out' ? 'Signing out…' : 'Signing in…'}
      </div>
    );
  }
  return (
    <section class="gate panel" aria-labelledby="gate-title">
      <h2 id="gate-title">{now.problem === '' ? 'You are signed out' : 'Signing in failed'}</h2>
      {now.problem !== '' && (
        <p role="alert" class="gate-problem">
          {now.problem}
        </p>
      )}
      <p>Signing in comes back to the view of this address.</p>
      <button type="button" class="button button-primary" onClick={() => void signIn()}>
        {now.problem === '' ? 'Sign in' : 'Sign in again'}
      </button>
    </section>
  );
}

/** What is wrong with a session, above a page that stays as it is. */
export function SessionBanner() {
  const now = session.value;
  if (now.kind === 'expired') {
    return (
      <div class="session-banner" role="alert">
        <span>
          <b>Your session has expired.</b> What is on screen stays, and signing in again comes back to it.
        </span>
        <button type="button" class="button button-primary" onClick={() => void signIn()}>
          Sign in again
        </button>
      </div>
    );
  }
  if (now.kind !== 'refused') return null;
  return (
    <div class="session-banner" role="alert">
      <span>
        <b>{now.person || 'This person'} has no access here.</b> Ask who runs this Cinderblock for access, or
        sign in as someone else.
      </span>
      <button type="button" class="button" onClick={refresh}>
        Try again
      </button>
      <button type="button" class="button" onClick={() => void signOut()}>
        Sign in as someone else
      </button>
    </div>
  );
}

/** Who is signed in, and the way out. Nothing where nobody signs in. */
export function PersonControls() {
  const now = session.value;
  if (!('person' in now)) return null;
  return (
    <span class="person">
      <span class="person-name" title={`Signed in as ${now.person}`}>
        <span class="visually-hidden">Signed in as </span>
        {now.person}
      </span>
      <button type="button" class="button button-quiet" onClick={() => void signOut()}>
        Sign out
      </button>
    </span>
  );
}
