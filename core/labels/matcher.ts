import { type Labels, labelValue } from './labels.ts';

export type MatchOp = '=' | '!=' | '=~' | '!~';

/** One condition on a label, as in Prometheus; a missing label has the value "". */
export interface Matcher {
  readonly name: string;
  readonly op: MatchOp;
  readonly value: string;
}

/** Compiles a fully anchored regular expression. The host gives an engine that is linear in time: patterns are hostile. */
export type CompileRegex = (pattern: string) => (text: string) => boolean;

/** A test for label sets that all matchers accept. @throws RejectedError('invalid') for a bad pattern */
export function compileMatchers(
  matchers: readonly Matcher[],
  compileRegex: CompileRegex,
): (labels: Labels) => boolean {
  const tests = matchers.map((matcher) => {
    const test = compileValue(matcher, compileRegex);
    return (labels: Labels) => test(labelValue(labels, matcher.name));
  });
  return (labels) => tests.every((test) => test(labels));
}

function compileValue({ op, value }: Matcher, compileRegex: CompileRegex): (text: string) => boolean {
  if (op === '=') return (text) => text === value;
  if (op === '!=') return (text) => text !== value;
  const matches = compileRegex(value);
  return op === '=~' ? matches : (text) => !matches(text);
}
