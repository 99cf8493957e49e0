/** Bytes of bodies that may be on their way at once: the memory that requests can take before they are understood. */
const BODY_BYTES_MAX = 512 * 1024 * 1024;
const REQUESTS_MAX = 512;

/** Counts what is in flight and says when it is enough; the caller then answers 503. */
export class Admission {
  #bytes = 0;
  #requests = 0;

  /** Answers how to give the place back, or undefined when the house is full. An empty house takes any request. */
  enter(bodyBytes: number): (() => void) | undefined {
    const isFull = this.#requests >= REQUESTS_MAX || this.#bytes + bodyBytes > BODY_BYTES_MAX;
    if (isFull && this.#requests > 0) return undefined;
    this.#requests++;
    this.#bytes += bodyBytes;
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      this.#requests--;
      this.#bytes -= bodyBytes;
    };
  }
}
