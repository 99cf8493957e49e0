import type { HttpAnswer } from './http-transport.ts';

/** What to do with a batch after an answer. */
export type Verdict = 'stored' | 'refused' | 'unauthorized' | 'retry';

/** What an answer to an upload means. */
export interface ReadAnswer {
  readonly verdict: Verdict;
  /** Whether it was a hub that answered: something between may refuse in its own words. */
  readonly isFromHub: boolean;
  /** For logs: the status and what the answer says. */
  readonly reason: string;
}

/** Sorts answers by what to do next. Whatever is not known to be final is tried again. */
export function readAnswer(answer: HttpAnswer): ReadAnswer {
  const said = hubError(answer.body);
  const reason = `HTTP ${answer.status}${said ? `: ${said.message}` : ''}`;
  return { verdict: verdictOf(answer.status), isFromHub: said !== undefined, reason };
}

function verdictOf(status: number): Verdict {
  switch (status) {
    // Only what a hub answers counts as stored: a captive portal says 200 or 302 to anything.
    case 200:
    case 202:
    case 409:
      return 'stored';
    case 400:
    case 413:
    case 415:
    case 422:
      return 'refused';
    case 401:
    case 403:
    case 404:
      return 'unauthorized';
    default:
      return 'retry';
  }
}

/** Connect's error shape, `{"code", "message"}`, which every route of a hub answers with. */
function hubError(body: string): { code: string; message: string } | undefined {
  try {
    const json = JSON.parse(body) as { code?: unknown; message?: unknown } | null;
    if (typeof json?.code !== 'string') return undefined;
    return {
      code: json.code,
      message: typeof json.message === 'string' ? json.message.slice(0, 500) : json.code,
    };
  } catch {
    return undefined;
  }
}

/** Whether a 200, 202 or 409 came from a hub: `{"batchId", "duplicate"}`, or Connect's error for a duplicate. */
export function isAcknowledgement(answer: HttpAnswer): boolean {
  if (answer.status === 409) return true;
  try {
    const json = JSON.parse(answer.body) as { batchId?: unknown } | null;
    return typeof json?.batchId === 'string';
  } catch {
    return false;
  }
}

/** The Date header, ms since epoch, or undefined. */
export function answerDate(answer: HttpAnswer): number | undefined {
  const ms = Date.parse(answer.headers.date ?? '');
  return Number.isFinite(ms) ? ms : undefined;
}
