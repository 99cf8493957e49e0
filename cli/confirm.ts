import { UsageError } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

/** Options of commands that cannot be undone. */
export const confirmOptions = { yes: { type: 'boolean', default: false } } as const;

export const CONFIRM_HELP = '  --yes             do not ask; needed where nobody can answer';

/**
 * Whether to go on with what cannot be undone: `--yes`, or a person says so.
 * @param consequence what will be, as a sentence without its full stop
 * @throws UsageError where nobody is there to ask
 */
export async function confirmed(terminal: Terminal, yes: boolean, consequence: string): Promise<boolean> {
  if (yes) return true;
  if (terminal.confirm === undefined) throw new UsageError(`${consequence}; pass --yes to go on`);
  if (await terminal.confirm(`${consequence}. Go on?`)) return true;
  terminal.note('nothing was changed');
  return false;
}
