import { closeSync, openSync, readSync } from 'node:fs';

// Programs that run other programs' text: what they are called says little, what they run says more. Only the base name
// of the script leaves this file: the rest of a command line may hold secrets.

const INTERPRETER = /^(?:node|nodejs|deno|bun|python[\d.]*|pypy[\d.]*|ruby[\d.]*|php[\d.]*|perl[\d.]*|java)$/;
/** Names that many programs give their first file. */
const COMMON = /^(?:index|main|server|app|start|run|cli|__main__|manage|wsgi|asgi|launcher|bootstrap)$/i;
/** Options whose value is the next argument, and which come before the script. */
const WITH_VALUE = new Set([
  '-r',
  '--require',
  '--import',
  '-C',
  '--conditions',
  '--env-file',
  '-W',
  '-X',
  '-cp',
  '-classpath',
  '--class-path',
  '-p',
  '--module-path',
  '-I',
  '-d',
]);
const CMDLINE_BYTES_MAX = 4096;

export function isInterpreter(executable: string): boolean {
  return INTERPRETER.test(executable);
}

/**
 * A service name from a command line: `node /srv/billing.js` is "billing", `node server.js` is "node-server",
 * `python3 -m http.server` is "http.server", `java -jar shop-1.2.jar` is "shop-1.2".
 * @returns undefined when the arguments name no script, such as for a shell of the interpreter
 */
export function scriptName(executable: string, args: readonly string[]): string | undefined {
  const script = executable === 'java' ? javaMain(args) : scriptOf(args);
  if (script === undefined) return undefined;
  const base = script.slice(script.lastIndexOf('/') + 1).replace(/\.(?:[cm]?[jt]sx?|py|rb|php|pl|jar)$/, '');
  if (!/^[\w.@+-]{1,64}$/.test(base)) return undefined;
  return COMMON.test(base) ? `${executable.replace(/[\d.]+$/, '')}-${base}` : base;
}

/** Arguments of a process that lives, without the program itself; empty when it is gone or may not be read. */
export function argumentsOf(pid: number, procFolder = '/proc'): string[] {
  let file: number;
  try {
    file = openSync(`${procFolder}/${pid}/cmdline`, 'r');
  } catch {
    return [];
  }
  try {
    const bytes = Buffer.alloc(CMDLINE_BYTES_MAX);
    const length = readSync(file, bytes, 0, CMDLINE_BYTES_MAX, 0);
    return bytes.subarray(0, length).toString('utf8').split('\0').slice(1);
  } catch {
    return [];
  } finally {
    closeSync(file);
  }
}

function scriptOf(args: readonly string[]): string | undefined {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '-m') return args[i + 1];
    if (arg === '-c' || arg === '-e' || arg === '--eval' || arg === '-p' || arg === '--print')
      return undefined;
    if (WITH_VALUE.has(arg)) i++;
    else if (arg !== '' && !arg.startsWith('-')) return arg;
  }
  return undefined;
}

/** The jar, or the simple name of the main class. */
function javaMain(args: readonly string[]): string | undefined {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '-jar') return args[i + 1];
    if (WITH_VALUE.has(arg)) i++;
    else if (arg !== '' && !arg.startsWith('-')) return arg.slice(arg.lastIndexOf('.') + 1);
  }
  return undefined;
}
