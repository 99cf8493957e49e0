import { RejectedError } from '../../core/errors.ts';
import { readSettings } from '../agent-settings.ts';
import { type Check, checkLine, exitCodeOfChecks } from './check.ts';
import { probeHub } from './probe-hub.ts';

const EXIT_USAGE = 2;

/** `cinderblock-agent doctor`: says why this agent's hub does not hear from it. @returns the exit code */
export async function runDoctor(args: readonly string[]): Promise<number> {
  const checks: Check[] = [];
  try {
    const settings = readSettings(args, process.env);
    for await (const check of probeHub(settings, { env: process.env, wall: Date.now })) {
      checks.push(check);
      process.stdout.write(checkLine(check));
    }
  } catch (error) {
    if (!(error instanceof RejectedError)) throw error;
    process.stdout.write(checkLine({ name: 'settings', status: 'failed', detail: error.message }));
    return EXIT_USAGE;
  }
  return exitCodeOfChecks(checks);
}
