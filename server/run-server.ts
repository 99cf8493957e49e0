import { setTimeout } from 'node:timers/promises';
import { DEFAULT_COMPACTION_RULES, withRollUp } from '../core/compaction/compaction-rules.ts';
import { keepCompiledCode } from './compile-cache.ts';
import { PRODUCT_VERSION } from './product-version.ts';
import { parseServeCommand, type ServeCommand, USAGE } from './server-options.ts';
import type { RunningServer } from './start-server.ts';
import { StartupError } from './startup-error.ts';
import { printable } from './telemetry.ts';

const STATUS_EVERY_MS = 60_000;
const NODE_MAJOR_MIN = 24;
const WARM_UP_AFTER_MS = 2000;

/** How long "ready" waits for the agent to take samples: the first time it builds the sampler. */
const AGENT_WAIT_MS = 300_000;

/** `cinderblock serve`: runs until a signal stops it. Answers the exit code. */
export async function runServer(argv: readonly string[]): Promise<number> {
  try {
    checkNode();
    const command = parseServeCommand(argv, process.env);
    if (command.help) return say(USAGE);
    if (command.version) return say(`cinderblock ${PRODUCT_VERSION}\n`);
    return await serve(command);
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    process.stderr.write(`cinderblock: ${printable(error.message)}\n`);
    return error.exitCode;
  }
}

async function serve(command: ServeCommand): Promise<number> {
  const startedAt = performance.now();
  const stopped = stopSignal();
  const tell = command.quiet ? () => 0 : say;
  // Loaded when wanted: a wrong command is answered at once.
  const { startServer } = await import('./start-server.ts');
  const server = await startServer({
    ...command,
    anyHostName: command.open,
    settings: { compaction: withRollUp(DEFAULT_COMPACTION_RULES, command.rollUpLabels) },
    logLevel: command.quiet ? 'warn' : 'info',
    onAgentLine: (line) => tell(`  agent   ${printable(line)}\n`),
  });
  tell(`Cinderblock ${PRODUCT_VERSION}\n`);
  tell(`  page    ${server.url}/\n  data    ${command.dataFolder}\n  access  ${accessText(command)}\n`);
  await Promise.race([server.agentReady, stopped, setTimeout(AGENT_WAIT_MS, undefined, { ref: false })]);
  const webProblem = await Promise.race([server.webReady, stopped.then(() => undefined)]);
  if (webProblem !== undefined) process.stderr.write(`cinderblock: ${printable(webProblem)}\n`);
  tell(`ready in ${((performance.now() - startedAt) / 1000).toFixed(1)} s; Ctrl-C stops\n`);
  const status = setInterval(statusLine(server, tell), STATUS_EVERY_MS);
  const warmUp = startWarmUp(server);
  await stopped;
  clearInterval(status);
  await warmUp.stop();
  tell('stopping: the last samples are being stored; Ctrl-C again stops at once\n');
  await server.close();
  tell('stopped\n');
  return 0;
}

/** When whoever started the server has had a first look. That it fails is told, and matters to nobody's data. */
function startWarmUp({ hub, telemetry }: RunningServer): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const run = async () => {
    await setTimeout(WARM_UP_AFTER_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    if (stopping.signal.aborted) return;
    const { warmUp } = await import('./warm-up.ts');
    await warmUp(hub, { signal: stopping.signal });
    keepCompiledCode();
  };
  const ended = run().catch((error) => telemetry.log('warn', `warm-up failed: ${(error as Error).message}`));
  return {
    stop() {
      stopping.abort();
      return ended;
    },
  };
}

function accessText({ token, open, host }: ServeCommand): string {
  if (token !== undefined) return 'by token (Basic or Bearer); agents sign';
  if (open) return `OPEN to anybody who reaches ${host}; agents sign`;
  return 'open to this machine, without a token; agents sign';
}

/** A launcher and its terminal may both pass on one Ctrl-C; a person needs longer to press it again. */
const SAME_PRESS_MS = 500;

/** Resolves at the first SIGINT or SIGTERM. The next one ends the process on the spot. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let stoppingSince: number | undefined;
    const onSignal = (signal: 'SIGINT' | 'SIGTERM') => {
      if (stoppingSince === undefined) {
        stoppingSince = performance.now();
        resolve();
      } else if (performance.now() - stoppingSince > SAME_PRESS_MS) {
        process.exit(signal === 'SIGINT' ? 130 : 143);
      }
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

/** One line about the last minute, where anything happened in it. */
function statusLine({ telemetry }: RunningServer, tell: (text: string) => number): () => void {
  let before = { batches: 0, samples: 0 };
  return () => {
    const now = {
      batches: telemetry.sum('process_batches_total'),
      samples: telemetry.sum('process_samples_total'),
    };
    const batches = now.batches - before.batches;
    const samples = now.samples - before.samples;
    before = now;
    if (batches === 0) return;
    const time = new Date().toISOString().slice(11, 19);
    const memory = Math.round(process.memoryUsage().rss / 1024 / 1024);
    tell(
      `${time} stored ${samples} samples of ${batches} batches in the last minute; ${memory} MiB of memory\n`,
    );
  };
}

function checkNode(): void {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) return;
  throw new StartupError(
    `this is Node.js ${process.versions.node}, Cinderblock needs ${NODE_MAJOR_MIN} or newer; "npm start" brings its own`,
    2,
  );
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}
