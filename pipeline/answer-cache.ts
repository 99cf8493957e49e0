/**
 * Answers that stay right: blocks never change, so an answer is a function of the question and of the blocks that it was
 * read from, and a key names both. Bounded by bytes; what was not asked for the longest goes first.
 */
export class AnswerCache {
  readonly #bytesMax: number;
  readonly #answers = new Map<string, { answer: unknown; bytes: number }>();
  #bytes = 0;

  /** @param bytesMax most bytes of answers, as estimated by who puts them; one larger than a quarter of it is not kept */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): unknown {
    const entry = this.#answers.get(key);
    if (entry === undefined) return undefined;
    this.#answers.delete(key);
    this.#answers.set(key, entry);
    return entry.answer;
  }

  put(key: string, answer: unknown, bytes: number): void {
    if (bytes > this.#bytesMax / 4) return;
    this.#drop(key);
    this.#answers.set(key, { answer, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#answers.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#answers.get(key)?.bytes ?? 0;
    this.#answers.delete(key);
  }
}
