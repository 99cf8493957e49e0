import type { ComponentChildren } from 'preact';
import { session } from './session/session.ts';
import { announcement } from './state/announcer.ts';
import { linkTo, navigate, view } from './state/navigation.ts';
import { nextTheme, theme } from './state/preferences.ts';
import type { Page } from './state/view-state.ts';
import { focusElement, helpOpen, notice } from './views/actions.ts';
import { ClustersPage } from './views/clusters-page.tsx';
import { DiffPage } from './views/diff-page.tsx';
import { ExplorePage } from './views/explore-page.tsx';
import { FrameTooltip } from './views/frame-tooltip.tsx';
import { HelpDialog } from './views/help-dialog.tsx';
import { PersonControls, SessionBanner, SignInGate } from './views/sign-in.tsx';

const PAGES: { id: Page; label: string }[] = [
  { id: 'explore', label: 'Explore' },
  { id: 'diff', label: 'Diff' },
  { id: 'clusters', label: 'Clusters' },
];

export function App() {
  const { page, service } = view.value;
  const label = PAGES.find(({ id }) => id === page)!.label;
  const isGated = ['signing-in', 'signing-out', 'signed-out'].includes(session.value.kind);
  document.title = `${page === 'clusters' || service === '' ? label : `${service} · ${label}`} · Cinderblock`;
  return (
    <>
      <button type="button" class="skip-link" onClick={() => focusElement('main')}>
        Skip to content
      </button>
      {page !== 'clusters' && !isGated && <TreeSkipLink />}
      <header class="top-bar">
        <span class="brand">
          <span class="brand-mark" aria-hidden="true" />
          Cinderblock
        </span>
        <nav aria-label="Pages">
          {PAGES.map(({ id, label: text }) => (
            <PageLink key={id} page={id} current={page === id}>
              {text}
            </PageLink>
          ))}
        </nav>
        <span class="spacer" />
        <PersonControls />
        <button
          type="button"
          class="button button-quiet"
          title="Light, dark, or as the system"
          onClick={nextTheme}
        >
          Theme: {theme.value}
        </button>
        <button
          type="button"
          class="button button-quiet icon-button"
          aria-label="Keys and help"
          title="?"
          onClick={() => {
            helpOpen.value = true;
          }}
        >
          ?
        </button>
      </header>
      <main id="main" tabIndex={-1} class={page === 'clusters' ? 'page page-flow' : 'page'}>
        <h1 class="visually-hidden">{label}</h1>
        <SessionBanner />
        {isGated ? <SignInGate /> : <PageBody page={page} />}
      </main>
      <FrameTooltip />
      <HelpDialog />
      <div class={notice.value ? 'notice' : 'notice notice-gone'} aria-hidden="true">
        {notice.value}
      </div>
      <div role="status" aria-live="polite" class="visually-hidden" id="live">
        {announcement.value}
      </div>
    </>
  );
}

function PageBody({ page }: { page: Page }) {
  if (page === 'clusters') return <ClustersPage />;
  return page === 'diff' ? <DiffPage /> : <ExplorePage />;
}

/** The graph as a table: the other way in for those who cannot see it. */
function TreeSkipLink() {
  return (
    <button
      type="button"
      class="skip-link"
      onClick={() => {
        navigate({ arrangement: 'tree' });
        setTimeout(() => focusElement('tree-view'), 50);
      }}
    >
      Show the graph as a table
    </button>
  );
}

function PageLink({
  page,
  current,
  children,
}: {
  page: Page;
  current: boolean;
  children: ComponentChildren;
}) {
  return (
    <a
      class="page-link"
      href={linkTo({ page })}
      aria-current={current ? 'page' : undefined}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        navigate({ page, zoom: '' });
      }}
    >
      {children}
    </a>
  );
}
