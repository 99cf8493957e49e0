import { session } from '../session/session.ts';
import { ApiError } from '../state/api-error.ts';
import { refresh } from '../state/profile-model.ts';
import type { Resource } from '../state/resource.ts';

/** Loading and failure of one panel, over what it still shows. Nothing when all is well; `quiet` panels also say
 * that nothing was asked yet. */
export function PanelState({
  load,
  what,
  quiet,
}: {
  load: Resource<unknown>;
  what: string;
  quiet?: boolean;
}) {
  if (load.error && ['expired', 'refused'].includes(session.value.kind))
    return <PanelWaits stale={load.data !== undefined} />;
  if (load.error) return <PanelError error={load.error} what={what} stale={load.data !== undefined} />;
  if (!load.loading) {
    return quiet && load.data === undefined ? <div class="panel-message">No {what} yet.</div> : null;
  }
  if (load.data !== undefined)
    return <div class="panel-busy" role="progressbar" aria-label={`Refreshing the ${what}`} />;
  return (
    <div class="panel-message" role="status">
      <span class="spinner" aria-hidden="true" />
      Loading the {what}…
    </div>
  );
}

/** The banner of the session says why; what is on screen stays. */
function PanelWaits({ stale }: { stale: boolean }) {
  return stale ? null : <div class="panel-message">Nothing to see without access.</div>;
}

function PanelError({ error, what, stale }: { error: Error; what: string; stale: boolean }) {
  return (
    <div
      class={stale ? 'panel-message panel-error panel-error-stale' : 'panel-message panel-error'}
      role="alert"
    >
      <div>
        <strong>{stale ? `The ${what} could not be refreshed.` : `The ${what} could not be loaded.`}</strong>{' '}
        {error.message}
        {error instanceof ApiError && error.status > 0 && (
          <span class="error-code">
            {' '}
            ({error.code}, {error.status})
          </span>
        )}
      </div>
      <button type="button" class="button" onClick={refresh}>
        Try again
      </button>
    </div>
  );
}
