/** One thing that was looked at, and what to do when it is not as it should be. */
export interface Check {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failed';
  /** What was seen. */
  readonly detail: string;
  /** What mends it, for a person who did not build this. */
  readonly remedy?: string;
  /** Of a failure: it may pass by itself, as a network that is away does. */
  readonly mayPass?: boolean;
}

/** Exit codes, as docs/cli.md has them: refused, try again later. */
const REFUSED = 3;
const RETRYABLE = 4;

/** By the worst: what a person must mend, then what may pass by itself. Warnings are no failures. */
export function exitCodeOfChecks(checks: readonly Check[]): number {
  const failed = checks.filter(({ status }) => status === 'failed');
  if (failed.length === 0) return 0;
  return failed.every(({ mayPass }) => mayPass === true) ? RETRYABLE : REFUSED;
}

const NAME_WIDTH = 14;

/** A check as one line: "ok       DNS           …", with the remedy behind an arrow. */
export function checkLine(
  { name, status, detail, remedy }: Check,
  styled: (status: Check['status'], text: string) => string = (_, text) => text,
): string {
  const what = remedy === undefined ? detail : `${detail} → ${remedy}`;
  const line = `${styled(status, status.padEnd(8))} ${name.padEnd(NAME_WIDTH)} ${what}`;
  return `${line.replace(/[\u0000-\u001a\u001c-\u001f\u007f]/g, ' ')}\n`;
}
