import { runCli } from '../../cli/run-cli.ts';
import type { Terminal } from '../../cli/terminal.ts';

/** What a command line did. */
export interface Outcome {
  readonly code: number;
  /** Standard output as text, and as it was. */
  readonly out: string;
  readonly bytes: Buffer;
  /** Standard error. */
  readonly notes: string;
}

/** Runs a command line in this process, as a pipe would see it. */
export async function cinderblock(
  args: readonly string[],
  overrides: Partial<Terminal> = {},
): Promise<Outcome> {
  const written: Buffer[] = [];
  const notes: string[] = [];
  const terminal: Terminal = {
    async write(content) {
      written.push(Buffer.from(content));
    },
    note: (line) => void notes.push(line),
    progress() {},
    isInteractive: false,
    width: Number.POSITIVE_INFINITY,
    color: false,
    env: {},
    signal: new AbortController().signal,
    now: Date.now,
    ...overrides,
  };
  const code = await runCli(args, terminal);
  const bytes = Buffer.concat(written);
  return { code, out: bytes.toString(), bytes, notes: notes.join('\n') };
}
