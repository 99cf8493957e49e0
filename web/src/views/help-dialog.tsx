import { useEffect, useRef } from 'preact/hooks';
import { keyName, SHORTCUTS, type Shortcut } from '../state/shortcuts.ts';
import { helpOpen } from './actions.ts';

const GROUPS: Shortcut['group'][] = ['Move', 'Find', 'Reshape', 'View', 'Share'];

export function HelpDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = helpOpen.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  const close = () => {
    helpOpen.value = false;
  };
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby="help-title"
      onClose={close}
      onClick={(event) => event.target === dialog.current && close()}
    >
      {open && (
        <div class="dialog-body">
          <header class="dialog-head">
            <h2 id="help-title">Keys and reading</h2>
            <button type="button" class="button" onClick={close}>
              Close
            </button>
          </header>
          <p>
            Each box is a function; below it are the functions it called. Width is the share of samples, so
            wide boxes are where the resource went; the place from left to right means nothing. Letters work
            while the graph, the table or the tree has the focus.
          </p>
          <div class="help-columns">
            {GROUPS.map((group) => (
              <section key={group} aria-label={group}>
                <h3>{group}</h3>
                <dl class="keys">
                  {SHORTCUTS.filter((shortcut) => shortcut.group === group).map(({ id, keys, label }) => (
                    <div key={id}>
                      <dt>
                        {keys.map((key) => (
                          <kbd key={key}>{keyName(key)}</kbd>
                        ))}
                      </dt>
                      <dd>{label}</dd>
                    </div>
                  ))}
                </dl>
              </section>
            ))}
            <section aria-label="Pointer">
              <h3>Pointer</h3>
              <dl class="keys">
                {POINTER.map(([what, does]) => (
                  <div key={what}>
                    <dt>
                      <kbd>{what}</kbd>
                    </dt>
                    <dd>{does}</dd>
                  </div>
                ))}
              </dl>
            </section>
          </div>
        </div>
      )}
    </dialog>
  );
}

const POINTER: [string, string][] = [
  ['Click', 'Zoom to the frame'],
  ['Right click', 'Menu of the frame'],
  ['Alt+click', 'Drop stacks with the function'],
  ['Shift', 'Freeze the tooltip'],
  ['Ctrl+wheel', 'Magnify around the pointer; a pinch does the same'],
  ['Drag', 'Move a magnified graph, or select a time on the timeline'],
  ['Back', 'Undo the last step'],
];
