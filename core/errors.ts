// Errors are sorted by what the caller does next, not by where they arose:
//   malformed  the input is broken             refuse it (HTTP 400, CLI exit 2)
//   rejected   the input is not allowed        refuse it (401/403/413/429, CLI exit 3)
//   retryable  the same call may go through    back off and call again (503, CLI exit 4)
//   corrupt    something stored is damaged     set it aside, tell an operator (CLI exit 5)
// Anything else that is thrown is a bug and is left to crash.

/** The input does not follow its format. `offset` is the byte position where that was noticed, if known. */
export class MalformedInputError extends Error {
  override name = 'MalformedInputError';
  readonly format: string;
  readonly offset: number | undefined;
  constructor(format: string, message: string, offset?: number, options?: ErrorOptions) {
    super(
      offset === undefined ? `${format}: ${message}` : `${format}: ${message} (at byte ${offset})`,
      options,
    );
    this.format = format;
    this.offset = offset;
  }
}

/** Why an input is refused; each reason has one HTTP status and one Connect code. */
export type RejectionReason =
  | 'unauthenticated'
  | 'forbidden'
  | 'too-large'
  | 'rate-limited'
  | 'invalid'
  | 'not-found';

/** The input is well-formed but not allowed: identity, limit or range. */
export class RejectedError extends Error {
  override name = 'RejectedError';
  readonly reason: RejectionReason;
  /** For limits: seconds after which a retry is worth it. */
  readonly retryAfterSeconds: number | undefined;
  constructor(
    reason: RejectionReason,
    message: string,
    options?: ErrorOptions & { retryAfterSeconds?: number },
  ) {
    super(message, options);
    this.reason = reason;
    this.retryAfterSeconds = options?.retryAfterSeconds;
  }
}

/** A named limit was passed. The message says the limit, the value seen, and how to raise it. */
export function limitExceeded(
  limit: { name: string; value: number; unit: string },
  seen: number,
): RejectedError {
  return new RejectedError(
    'too-large',
    `${limit.name} is ${limit.value} ${limit.unit}, this has ${seen}; raise it with the setting ${limit.name}`,
  );
}

/** Nothing is wrong with the input; the same call may succeed later. */
export class RetryableError extends Error {
  override name = 'RetryableError';
  readonly retryAfterSeconds: number | undefined;
  constructor(message: string, options?: ErrorOptions & { retryAfterSeconds?: number }) {
    super(message, options);
    this.retryAfterSeconds = options?.retryAfterSeconds;
  }
}

/** A stored object does not hold what its index row or checksum says. */
export class CorruptBlockError extends Error {
  override name = 'CorruptBlockError';
  readonly blockId: string;
  readonly section: string;
  constructor(blockId: string, section: string, message: string, options?: ErrorOptions) {
    super(`block ${blockId}, ${section}: ${message}`, options);
    this.blockId = blockId;
    this.section = section;
  }
}
