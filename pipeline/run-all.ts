import { RetryableError } from '../core/errors.ts';

/**
 * Runs `run` for each item, one after the other. One for which storage does not answer does not keep the others waiting,
 * since it may be the same one in every run.
 * @throws RetryableError the first there was, once all were tried; any other error at once
 */
export async function runAll<T>(items: Iterable<T>, run: (item: T) => Promise<void>): Promise<void> {
  let first: RetryableError | undefined;
  for (const item of items) {
    try {
      await run(item);
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      first ??= error;
    }
  }
  if (first !== undefined) throw first;
}
