import { RejectedError } from '../core/errors.ts';
import type { Labels } from '../core/labels/labels.ts';
import { labelValue } from '../core/labels/labels.ts';

/** Whether the samples of a series are to be left out. */
export type DropRule = (labels: Labels) => boolean;

/**
 * Rules from a text such as `service_name=secret-*,comm=kworker`: a series that matches any of them is dropped. `*`
 * stands for any characters. Dropped samples are counted.
 * @throws RejectedError('invalid') when a part is not label=pattern
 */
export function parseDropRules(text: string): DropRule {
  const rules = text
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(parseRule);
  return (labels) => rules.some((rule) => rule(labels));
}

function parseRule(part: string): DropRule {
  const at = part.indexOf('=');
  const name = part.slice(0, at).trim();
  if (at < 1 || name === '') {
    throw new RejectedError(
      'invalid',
      `drop rule "${part.trim()}" must be label=pattern, such as service_name=backup-*`,
    );
  }
  const pattern = part.slice(at + 1).trim();
  return (labels) => matchesGlob(labelValue(labels, name), pattern);
}

/** Whether a text matches a pattern in which `*` stands for any characters. Linear: no backtracking over texts of others. */
export function matchesGlob(text: string, pattern: string): boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return text === pattern;
  const first = parts.shift()!;
  const last = parts.pop()!;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length)
    return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
