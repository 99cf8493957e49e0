import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export type CrashWrite = 'put' | 'publish' | 'send' | 'swap';

export interface Writer {
  pid: number;
  /** Resolves once at least this many writes are acknowledged. */
  acknowledged(count: number): Promise<void>;
  /** Kills the process with SIGKILL, at whatever it is doing, and answers the numbers of all acknowledged writes. */
  kill(): Promise<number[]>;
}

/** Bytes that say which write they are of, so that a half-written object cannot pass for a whole one. */
export function objectBytes(n: number): Uint8Array {
  return new Uint8Array(1000 + (n % 7) * 20_000).fill(1 + (n % 250));
}

/** Runs crash-writer.ts on the folder while `use` runs; afterwards it is dead, whatever happened. */
export async function withWriter<T>(
  folder: string,
  what: CrashWrite,
  use: (writer: Writer) => Promise<T>,
): Promise<T> {
  const writer = startWriter(folder, what);
  try {
    return await use(writer);
  } finally {
    await writer.kill();
  }
}

function startWriter(folder: string, what: CrashWrite): Writer {
  const script = fileURLToPath(new URL('crash-writer.ts', import.meta.url));
  const args = ['--disable-warning=ExperimentalWarning', script, folder, what];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  const closed = once(child, 'close');
  return {
    pid: Number(child.pid),
    async acknowledged(count) {
      while (output.split('\n').length <= count) {
        if (child.exitCode !== null)
          throw new Error(`the writer ended by itself with exit code ${child.exitCode}`);
        await Promise.race([once(child.stdout, 'data'), closed]);
      }
    },
    async kill() {
      child.kill('SIGKILL');
      await closed;
      // The last line may be cut off by the kill; only whole lines count.
      return output.split('\n').slice(0, -1).map(Number);
    },
  };
}
