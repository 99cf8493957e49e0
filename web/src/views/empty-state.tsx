import { signal } from '@preact/signals';
import { needsToken } from '../session/session.ts';
import { listServices, type Service } from '../state/api.ts';
import { navigate, view } from '../state/navigation.ts';
import { nearestRange } from '../state/nearest-range.ts';
import { utc } from '../state/preferences.ts';
import { clock, profileType, shownSpan } from '../state/profile-model.ts';
import { profileTypeName } from '../state/profile-type.ts';
import { resource } from '../state/resource.ts';
import { filterText } from '../state/selector.ts';
import { spanText } from '../state/time-range.ts';
import { Command } from './command.tsx';

const SEARCH_BACK_MS = 90 * 86_400_000;

/** Asked only when something came back empty. */
const wanted = signal(false);
const everything = resource(() => {
  if (!wanted.value) return undefined;
  const end = Math.ceil(clock.value / 60_000) * 60_000;
  return { start: end - SEARCH_BACK_MS, end };
}, listServices);

/** Nothing to show: says which part of the question has no data, where there is some, and how to get some. */
export function EmptyState() {
  wanted.value = true;
  const known = everything.value.data;
  if (everything.value.loading && !known) {
    return (
      <div class="panel-message" role="status">
        <span class="spinner" aria-hidden="true" />
        Nothing in this range; looking for the nearest data…
      </div>
    );
  }
  return known && known.length > 0 ? <NothingHere known={known} /> : <NothingAtAll />;
}

function NothingHere({ known }: { known: Service[] }) {
  const { service, filters, selection } = view.value;
  const chosen = service === '' ? known : known.filter(({ name }) => name === service);
  const typed = chosen.filter(({ profileTypes }) => profileTypes.includes(profileType.value));
  const nearest = nearestRange(typed.length > 0 ? typed : chosen, shownSpan.value);
  const what = profileType.value === '' ? 'profiles' : `${profileTypeName(profileType.value)} profiles`;
  const unknownService = service !== '' && chosen.length === 0;
  return (
    <div class="empty">
      <h2>{unknownService ? `No service is called “${service}”` : `No ${what} here`}</h2>
      <p>
        {service === '' ? 'No service' : <b>{service}</b>} has {what} in{' '}
        {spanText(shownSpan.value, utc.value)}
        {filters.length > 0 && (
          <>
            {' '}
            with <code>{filters.map(filterText).join(', ')}</code>
          </>
        )}
        .
      </p>
      <div class="empty-actions">
        {selection && (
          <button type="button" class="button" onClick={() => navigate({ selection: undefined })}>
            Show the whole range
          </button>
        )}
        {nearest && (
          <button
            type="button"
            class="button button-primary"
            onClick={() => navigate({ range: { kind: 'between', ...nearest }, selection: undefined })}
          >
            Nearest data: {spanText(nearest, utc.value)}
          </button>
        )}
        {filters.length > 0 && (
          <button type="button" class="button" onClick={() => navigate({ filters: [] })}>
            Remove the filters
          </button>
        )}
        {service !== '' && (
          <button type="button" class="button" onClick={() => navigate({ service: '', profileType: '' })}>
            All services
          </button>
        )}
        {typed.length === 0 && chosen[0]?.profileTypes[0] && (
          <button
            type="button"
            class="button"
            onClick={() => navigate({ profileType: chosen[0].profileTypes[0] })}
          >
            {profileTypeName(chosen[0].profileTypes[0])} of {chosen[0].name}
          </button>
        )}
      </div>
    </div>
  );
}

const AGENT_COMMAND = 'npm start';

function NothingAtAll() {
  const token = needsToken() ? '-H "Authorization: Bearer $CINDERBLOCK_TOKEN" ' : '';
  const pushCommand = `curl ${token}--data-binary @cpu.pprof '${new URL('ingest?name=my-service&format=pprof', location.href.replace(/[?#].*$/, ''))}'`;
  return (
    <div class="empty">
      <h2>No profiles yet</h2>
      <p>This page fills as soon as the first batch is in; it looks again every 10 seconds.</p>
      <ol class="empty-steps">
        <li>
          <b>Profile this machine.</b> The server and its agent start together:
          <Command text={AGENT_COMMAND} />
        </li>
        <li>
          <b>Or push a profile</b> that you have, in pprof format:
          <Command text={pushCommand} />
        </li>
        <li>
          <b>Or point a Pyroscope or OTLP SDK here:</b>
          <Command text={new URL('./', location.href).href.replace(/\/$/, '')} />
        </li>
      </ol>
      <p>
        An agent that runs but shows nothing here says why on the{' '}
        <a
          class="link"
          href="clusters"
          onClick={(event) => {
            event.preventDefault();
            navigate({ page: 'clusters' });
          }}
        >
          Clusters page
        </a>
        .
      </p>
    </div>
  );
}
