/** Everything that has a key, a menu entry and a line in the help: one list feeds all three. */
export interface Shortcut {
  id: ActionId;
  keys: string[];
  label: string;
  group: 'Move' | 'Find' | 'Reshape' | 'View' | 'Share';
}

export type ActionId =
  | 'parent'
  | 'child'
  | 'previous'
  | 'next'
  | 'zoom'
  | 'back-out'
  | 'whole'
  | 'magnify'
  | 'reduce'
  | 'pan-left'
  | 'pan-right'
  | 'search'
  | 'next-match'
  | 'previous-match'
  | 'sandwich'
  | 'focus'
  | 'hide'
  | 'drop'
  | 'collapse-module'
  | 'collapse-recursion'
  | 'invert'
  | 'order'
  | 'flip'
  | 'colour'
  | 'flame'
  | 'table'
  | 'both'
  | 'sandwich-view'
  | 'tree'
  | 'earlier'
  | 'later'
  | 'swap'
  | 'copy-name'
  | 'copy-link'
  | 'export'
  | 'menu'
  | 'theme'
  | 'help';

export const SHORTCUTS: readonly Shortcut[] = [
  { id: 'parent', keys: ['ArrowUp'], label: 'Caller', group: 'Move' },
  { id: 'child', keys: ['ArrowDown'], label: 'Widest callee', group: 'Move' },
  { id: 'previous', keys: ['ArrowLeft'], label: 'Sibling to the left', group: 'Move' },
  { id: 'next', keys: ['ArrowRight'], label: 'Sibling to the right', group: 'Move' },
  { id: 'zoom', keys: ['Enter'], label: 'Zoom to the frame', group: 'Move' },
  { id: 'back-out', keys: ['Escape'], label: 'Zoom out one step, then clear the search', group: 'Move' },
  { id: 'whole', keys: ['0', 'Home'], label: 'Whole graph', group: 'Move' },
  { id: 'magnify', keys: ['+', '='], label: 'Magnify around the frame', group: 'Move' },
  { id: 'reduce', keys: ['-'], label: 'Show more around it', group: 'Move' },
  { id: 'pan-left', keys: ['a', 'Shift+ArrowLeft'], label: 'Move the view left', group: 'Move' },
  { id: 'pan-right', keys: ['d', 'Shift+ArrowRight'], label: 'Move the view right', group: 'Move' },
  { id: 'search', keys: ['/'], label: 'Search', group: 'Find' },
  { id: 'next-match', keys: ['n'], label: 'Next match, or next frame of the function', group: 'Find' },
  { id: 'previous-match', keys: ['p'], label: 'Previous match or frame', group: 'Find' },
  { id: 'sandwich', keys: ['s'], label: 'Callers and callees of the function', group: 'Find' },
  { id: 'focus', keys: ['f'], label: 'Only what runs under the function', group: 'Reshape' },
  { id: 'hide', keys: ['m'], label: 'Merge the function into its callers', group: 'Reshape' },
  { id: 'drop', keys: ['h'], label: 'Drop stacks with the function', group: 'Reshape' },
  { id: 'collapse-module', keys: ['C'], label: 'Collapse the module', group: 'Reshape' },
  { id: 'collapse-recursion', keys: ['r'], label: 'Collapse recursion', group: 'Reshape' },
  { id: 'invert', keys: ['i'], label: 'Invert: bottom-up', group: 'Reshape' },
  { id: 'order', keys: ['o'], label: 'Order: heaviest first or by name', group: 'View' },
  { id: 'flip', keys: ['v'], label: 'Root on top or at the bottom', group: 'View' },
  { id: 'colour', keys: ['g'], label: 'Colour by package, module or kind', group: 'View' },
  { id: 'flame', keys: ['1'], label: 'Flame graph', group: 'View' },
  { id: 'table', keys: ['2'], label: 'Top table', group: 'View' },
  { id: 'both', keys: ['3'], label: 'Both', group: 'View' },
  { id: 'sandwich-view', keys: ['4'], label: 'Sandwich', group: 'View' },
  { id: 'tree', keys: ['5'], label: 'Tree', group: 'View' },
  { id: 'earlier', keys: ['['], label: 'One window earlier', group: 'View' },
  { id: 'later', keys: [']'], label: 'One window later', group: 'View' },
  { id: 'swap', keys: ['x'], label: 'Swap A and B (diff)', group: 'View' },
  { id: 'theme', keys: ['t'], label: 'Light, dark or automatic', group: 'View' },
  { id: 'copy-name', keys: ['c'], label: 'Copy the function’s name', group: 'Share' },
  { id: 'copy-link', keys: ['l'], label: 'Copy a link to this view', group: 'Share' },
  { id: 'export', keys: ['e'], label: 'Export', group: 'Share' },
  { id: 'menu', keys: ['ContextMenu', 'Shift+F10'], label: 'Menu of the frame', group: 'Share' },
  { id: 'help', keys: ['?'], label: 'This list', group: 'Share' },
];

/** The action of a key event, if it has one. Keys with Ctrl, Alt or Meta stay the browser's. */
export function actionOf(event: {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}) {
  if (event.ctrlKey || event.altKey || event.metaKey) return undefined;
  const key = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
  return SHORTCUTS.find(({ keys }) => keys.includes(key))?.id;
}

const KEY_NAMES: Record<string, string> = {
  ArrowUp: '↑',
  ArrowDown: '↓',
  ArrowLeft: '←',
  ArrowRight: '→',
  Escape: 'Esc',
  ContextMenu: 'Menu',
};

export function keyName(key: string): string {
  return key.replace(/\w+$/, (last) => KEY_NAMES[last] ?? last);
}

export function keysOf(id: ActionId): string {
  return (SHORTCUTS.find((entry) => entry.id === id)?.keys ?? []).map(keyName).join(' or ');
}
