import type { TestContext } from 'node:test';
import { processBatches } from '../../pipeline/process-batches.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../server/start-server.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface ServerUnderTest extends RunningServer {
  log: string[];
  /** Stores what is queued now, instead of at the scheduler's next round. */
  process(): Promise<void>;
}

/** A server on a free port of 127.0.0.1 and a folder of its own, closed when the test ends. */
export async function openServer(
  t: TestContext,
  options: Partial<ServerOptions> = {},
): Promise<ServerUnderTest> {
  const log: string[] = [];
  const dataFolder = options.dataFolder ?? temporaryFolder(t);
  const server = await startServer({ port: 0, log: (line) => log.push(line), ...options, dataFolder });
  t.after(() => server.close());
  const process = async () => {
    while ((await processBatches(server.hub)).batches > 0);
  };
  return { ...server, log, process };
}
