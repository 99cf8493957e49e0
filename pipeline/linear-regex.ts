import { RE2JS } from 're2js';
import { RejectedError } from '../core/errors.ts';

/** Longest pattern, in characters. */
export const PATTERN_LENGTH_MAX = 4096;

/**
 * A matcher for the whole text, in time linear in its length whatever the pattern (RE2 semantics, as Prometheus and
 * Pyroscope have them): patterns come from queries, and a backtracking engine can be made to hang.
 * @throws RejectedError('invalid') when the pattern is not a regular expression or is too long
 */
export function compileLinearRegex(pattern: string): (text: string) => boolean {
  if (pattern.length > PATTERN_LENGTH_MAX) {
    throw new RejectedError(
      'invalid',
      `the pattern has ${pattern.length} characters, the limit is ${PATTERN_LENGTH_MAX}`,
    );
  }
  try {
    // Not put between anchors: `matches` tests the whole text, and "a)|(b" must not get out of its group.
    const compiled = RE2JS.compile(pattern, RE2JS.DOTALL);
    return (text) => compiled.matches(text);
  } catch (error) {
    throw new RejectedError('invalid', `pattern ${JSON.stringify(pattern)}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
