import { cacheCompiledCode } from '../server/compile-cache.ts';

cacheCompiledCode(process.env);
// Loaded after the line above, as imports at the top would not be.
const { ExitCode } = await import('./exit-code.ts');
const { InterruptedError, processTerminal } = await import('./terminal.ts');

const abort = new AbortController();
// `serve` stops by its own rules; any other command is aborted by the first signal and ended by the second.
if (process.argv[2] !== 'serve') {
  stopOn('SIGINT', ExitCode.interrupted);
  stopOn('SIGTERM', ExitCode.terminated);
}
// Errors of a closed pipe are answered where the write was made.
process.stdout.on('error', () => {});

const { runCli } = await import('./run-cli.ts');
process.exitCode = await runCli(process.argv.slice(2), processTerminal(abort.signal));

function stopOn(signal: NodeJS.Signals, exitCode: number): void {
  process.on(signal, () => {
    if (abort.signal.aborted) process.exit(exitCode);
    abort.abort(new InterruptedError(exitCode));
  });
}
