import type { Transform } from '../../../core/flamegraph/transforms.ts';
import { MenuButton, type MenuItem } from '../parts/menu.tsx';
import { needsToken } from '../session/session.ts';
import { type ExportFormat, exportUrl, fetchExport, type TreeQuery } from '../state/api.ts';
import { navigate, view } from '../state/navigation.ts';
import { shaped, siblingOrder, treeQuery } from '../state/profile-model.ts';
import { keysOf } from '../state/shortcuts.ts';
import { type Arrangement, stepToText } from '../state/view-state.ts';
import { arrange, copyText, notify, runAction } from './actions.ts';
import { downloadPng, downloadSvg, saveFile } from './picture-export.ts';
import { SearchBox } from './search-box.tsx';

const ARRANGEMENTS: { id: Arrangement; label: string; key: string }[] = [
  { id: 'flame', label: 'Flame', key: '1' },
  { id: 'table', label: 'Table', key: '2' },
  { id: 'both', label: 'Both', key: '3' },
  { id: 'sandwich', label: 'Sandwich', key: '4' },
  { id: 'tree', label: 'Tree', key: '5' },
];

/** How the result is shown, searched, reshaped and taken away. */
export function Toolbar() {
  const { arrangement } = view.value;
  return (
    <div class="toolbar" role="group" aria-label="Flame graph tools">
      <div class="segments" role="group" aria-label="Show as">
        {ARRANGEMENTS.map(({ id, label, key }) => (
          <button
            key={id}
            type="button"
            class="segment"
            aria-pressed={arrangement === id}
            title={`Key ${key}`}
            onClick={() => arrange(id)}
          >
            {label}
          </button>
        ))}
      </div>
      <SearchBox />
      <StepChips />
      <span class="spacer" />
      <MenuButton button="View ▾" title="View" items={viewItems} />
      <MenuButton id="export-menu" button="Export ▾" title="Export" items={exportItems} />
    </div>
  );
}

function viewItems(): MenuItem[] {
  const { colour, flipped, steps } = view.peek();
  const has = (kind: Transform['kind']) => steps.some((step) => step.kind === kind);
  const isDiff = shaped.peek()?.right !== undefined;
  const colours: MenuItem[] = (['package', 'module', 'kind'] as const).map((mode, i) => ({
    label: `Colour by ${mode}`,
    hint: i === 0 ? keysOf('colour') : '',
    checked: colour === mode,
    startsGroup: i === 0,
    onSelect: () => navigate({ colour: mode }, 'replace'),
  }));
  return [
    {
      label: 'Invert: bottom-up',
      hint: keysOf('invert'),
      checked: has('invert'),
      onSelect: () => runAction('invert'),
    },
    {
      label: 'Collapse recursion',
      hint: keysOf('collapse-recursion'),
      checked: has('collapse-recursion'),
      onSelect: () => runAction('collapse-recursion'),
    },
    {
      label: 'Heaviest first',
      hint: keysOf('order'),
      checked: siblingOrder.peek() === 'heavy',
      startsGroup: true,
      onSelect: () => runAction('order'),
    },
    {
      label: 'Root at the bottom',
      hint: keysOf('flip'),
      checked: flipped,
      onSelect: () => runAction('flip'),
    },
    ...(isDiff ? [] : colours),
  ];
}

function exportItems(): MenuItem[] {
  const query = treeQuery.peek();
  const files: MenuItem[] = query
    ? [
        { label: 'pprof (.pb.gz)', ...fileOf(query, 'pprof') },
        { label: 'Folded stacks (.txt)', ...fileOf(query, 'folded') },
        { label: 'speedscope (.json)', ...fileOf(query, 'speedscope') },
      ]
    : [];
  const isDiff = query?.compare !== undefined;
  return [
    ...files.map((item) => (isDiff ? { ...item, label: `${item.label}, side A` } : item)),
    { label: 'Picture (SVG)', startsGroup: true, onSelect: downloadSvg },
    { label: 'Picture (PNG, what is on screen)', onSelect: downloadPng },
    {
      label: 'Copy link to this view',
      hint: keysOf('copy-link'),
      startsGroup: true,
      onSelect: () => runAction('copy-link'),
    },
    {
      label: 'Copy as curl',
      onSelect: () => {
        if (query) void copyText(curlCommand(query), 'Command');
      },
    },
  ];
}

/** A link that the browser downloads by itself, unless the request must carry a token. */
function fileOf(query: TreeQuery, format: ExportFormat): Pick<MenuItem, 'href' | 'onSelect'> {
  if (!needsToken()) return { href: exportUrl(query, format) };
  return { onSelect: () => void downloadExport(query, format) };
}

async function downloadExport(query: TreeQuery, format: ExportFormat): Promise<void> {
  notify('Preparing the file…');
  try {
    const file = await fetchExport(query, format);
    saveFile(file, file.name);
  } catch (error) {
    notify(`The file could not be made: ${(error as Error).message}`);
  }
}

/** An API token is for tools; a person's own token ends within the hour. */
function curlCommand(query: TreeQuery): string {
  const header = needsToken() ? '-H "Authorization: Bearer $CINDERBLOCK_TOKEN" ' : '';
  return `curl ${header}-o profile.pb.gz '${exportUrl(query, 'pprof')}'`;
}

const STEP_WORDS: Record<Transform['kind'], string> = {
  focus: 'only under',
  hide: 'merged',
  drop: 'dropped',
  'collapse-recursion': 'recursion collapsed',
  'collapse-module': 'collapsed',
  invert: 'bottom-up',
};

/** Applied steps, each removable. */
function StepChips() {
  const { steps } = view.value;
  if (steps.length === 0) return null;
  return (
    <ul class="chips" aria-label="Steps">
      {steps.map((step, i) => (
        <li key={`${i}${stepToText(step)}`} class="chip">
          <span>{stepWords(step)}</span>
          <button
            type="button"
            class="chip-remove"
            aria-label={`Undo: ${stepWords(step)}`}
            onClick={() => navigate({ steps: steps.filter((_, other) => other !== i) })}
          >
            ×
          </button>
        </li>
      ))}
    </ul>
  );
}

function stepWords(step: Transform): string {
  const what = 'name' in step ? step.name : 'module' in step ? step.module : '';
  return what === '' ? STEP_WORDS[step.kind] : `${STEP_WORDS[step.kind]} ${what}`;
}
