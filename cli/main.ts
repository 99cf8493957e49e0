import { ExitCode } from './exit-code.ts';
import { runCli } from './run-cli.ts';
import { InterruptedError, processTerminal } from './terminal.ts';

const abort = new AbortController();
// `serve` stops by its own rules; any other command is aborted by the first signal and ended by the second.
if (process.argv[2] !== 'serve') {
  stopOn('SIGINT', ExitCode.interrupted);
  stopOn('SIGTERM', ExitCode.terminated);
}
// Errors of a closed pipe are answered where the write was made.
process.stdout.on('error', () => {});

process.exitCode = await runCli(process.argv.slice(2), processTerminal(abort.signal));

function stopOn(signal: NodeJS.Signals, exitCode: number): void {
  process.on(signal, () => {
    if (abort.signal.aborted) process.exit(exitCode);
    abort.abort(new InterruptedError(exitCode));
  });
}
