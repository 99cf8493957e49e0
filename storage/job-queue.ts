/**
 * Work that one process plans and others do, one message per job. A message is no more than a hint: who takes it looks
 * whether the job is still to be done, and what gets lost is planned again. A message may be delivered more than once.
 */
export interface JobQueue {
  /** Sends all of them, each up to JOB_MESSAGE_BYTES_MAX bytes of UTF-8. @throws RetryableError; some may have gone out */
  send(messages: readonly string[]): Promise<void>;
  /** About how many messages nobody has taken yet. @throws RetryableError */
  waiting(): Promise<number>;
}

/** Longest message, in bytes: ten of them fit one request to SQS, of 1 MiB in all. */
export const JOB_MESSAGE_BYTES_MAX = 100 * 1024;
