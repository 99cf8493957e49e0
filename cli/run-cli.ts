import { PRODUCT_VERSION } from '../server/product-version.ts';
import { auditCommand } from './audit-command.ts';
import { blockCommand } from './block-command.ts';
import { clusterCommand } from './cluster-command.ts';
import type { Command } from './command.ts';
import { compactionCommand } from './compaction-command.ts';
import { ExitCode, exitCodeOf, UsageError } from './exit-code.ts';
import { pushCommand } from './push-command.ts';
import { queryCommand } from './query-command.ts';
import { queueCommand } from './queue-command.ts';
import { retentionCommand } from './retention-command.ts';
import { serveCommand } from './serve-command.ts';
import { spoolCommand } from './spool-command.ts';
import { InterruptedError, OutputClosedError, styled, type Terminal } from './terminal.ts';
import { tokenCommand } from './token-command.ts';

export const COMMANDS: readonly Command[] = [
  serveCommand,
  pushCommand,
  queryCommand,
  clusterCommand,
  tokenCommand,
  queueCommand,
  auditCommand,
  retentionCommand,
  compactionCommand,
  blockCommand,
  spoolCommand,
];

const HELP = `Usage: cinderblock COMMAND [options]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`).join('\n')}

  --help     of a command: what it takes
  --version  the version

Exit codes: 0 done, 1 bug, 2 broken input or command line, 3 refused, 4 try again later, 5 what is stored is damaged or does not add up.
`;

/** Runs one command line. Answers the exit code; nothing is thrown. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = args;
  try {
    if (name === '--version' || name === '-V') {
      await terminal.write(`cinderblock ${PRODUCT_VERSION}\n`);
      return ExitCode.ok;
    }
    if (name === '--help' || name === '-h' || name === 'help') {
      await terminal.write(commandNamed(rest[0])?.help || HELP);
      return ExitCode.ok;
    }
    const command = commandNamed(name);
    if (command === undefined)
      throw new UsageError(name === undefined ? HELP : `there is no command "${name}"`);
    // A command without help text of its own, serve, prints it by itself.
    if (command.help !== '' && asksForHelp(rest)) {
      await terminal.write(command.help);
      return ExitCode.ok;
    }
    return await command.run(rest, terminal);
  } catch (error) {
    return report(error, name, terminal);
  } finally {
    terminal.progress('');
  }
}

function commandNamed(name: string | undefined): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end < 0 ? args.length : end).some((arg) => arg === '--help' || arg === '-h');
}

/** One line for what people can do something about; the stack for bugs. */
function report(error: unknown, name: string | undefined, terminal: Terminal): number {
  if (error instanceof OutputClosedError) return ExitCode.ok;
  if (terminal.signal.aborted) return reportInterrupted(terminal);
  if (!(error instanceof Error)) throw error;
  if (error instanceof UsageError && name === undefined) {
    terminal.note(error.message.trimEnd());
    return ExitCode.malformed;
  }
  const code = exitCodeOf(error);
  const isForeseen = code !== ExitCode.bug || isFileError(error);
  terminal.note(
    `${styled(terminal, 'red', 'cinderblock:')} ${isForeseen ? printable(error.message) : error.stack}`,
  );
  if (error instanceof UsageError)
    terminal.note(`try: cinderblock ${commandNamed(name)?.name ?? ''} --help`.replace('  ', ' '));
  return isFileError(error) ? ExitCode.malformed : code;
}

/** Whatever was thrown after a signal was thrown because of it. */
function reportInterrupted({ signal, note }: Terminal): number {
  note('interrupted');
  return signal.reason instanceof InterruptedError ? signal.reason.exitCode : ExitCode.interrupted;
}

/** A file that cannot be read or written is named by the error of the file system. */
function isFileError(error: Error): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && ['open', 'read', 'stat', 'scandir', 'write'].includes(syscall ?? '');
}

/** Messages may quote what a server or a file said. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '?');
}
