import { RejectedError } from '../../core/errors.ts';
import type { Selection } from '../../pipeline/run-query.ts';
import { timeRange } from './time-range.ts';

/**
 * The selection in the query string of our own GET routes: profile_type, selector, start and end (ms since epoch).
 * @param prefix `diff_` for the second side of a diff
 * @throws RejectedError('invalid') naming the parameter
 */
export function selectionIn(query: URLSearchParams, prefix = ''): Selection {
  const profileType = query.get('profile_type') ?? '';
  if (profileType === '') throw new RejectedError('invalid', 'the parameter profile_type is missing');
  const selector = query.get(`${prefix}selector`) ?? '{}';
  const range = timeRange(timeIn(query, `${prefix}start`), timeIn(query, `${prefix}end`));
  return { profileType, selector: selector === '' ? '{}' : selector, ...range };
}

/** @throws RejectedError('invalid') when it is there and not a whole number in [0, max] */
export function countIn(query: URLSearchParams, name: string, max: number): number | undefined {
  const text = query.get(name) ?? '';
  if (text === '') return undefined;
  const count = Number(text);
  if (/^\d{1,10}$/.test(text) && count <= max) return count;
  throw new RejectedError('invalid', `the parameter ${name} is "${text}", it may be 0 to ${max}`);
}

function timeIn(query: URLSearchParams, name: string): bigint {
  const text = query.get(name) ?? '';
  if (/^\d{1,17}$/.test(text)) return BigInt(text);
  throw new RejectedError('invalid', `the parameter ${name} is "${text}", it must be ms since epoch`);
}
