/** Calls of a port by method, and the bytes that went through. */
export interface PortCounts {
  readonly calls: Map<string, number>;
  bytesIn: number;
  bytesOut: number;
}

export function newCounts(): PortCounts {
  return { calls: new Map(), bytesIn: 0, bytesOut: 0 };
}

type Method = (...args: unknown[]) => unknown;

type Observer = (method: string, args: readonly unknown[]) => void;

/**
 * The same port, whose calls are counted.
 * @param observe hears each one that went through, before its answer is given
 * @param announce hears each one before it is done
 */
export function counted<Port extends object>(
  port: Port,
  counts: PortCounts,
  observe: Observer = () => {},
  announce: Observer = () => {},
): Port {
  return new Proxy(port, {
    get(target, property, receiver) {
      const member = Reflect.get(target, property, receiver);
      if (typeof member !== 'function' || typeof property !== 'string') return member;
      return async (...args: unknown[]) => {
        counts.calls.set(property, (counts.calls.get(property) ?? 0) + 1);
        counts.bytesIn += args.reduce((sum: number, arg) => sum + bytesOf(arg), 0);
        announce(property, args);
        const answer = await (member as Method).apply(target, args);
        counts.bytesOut += bytesOf(answer);
        observe(property, args);
        return answer;
      };
    },
  });
}

/** Of bytes, or of an answer that has some. */
function bytesOf(value: unknown): number {
  if (value instanceof Uint8Array) return value.length;
  const inner = (value as { bytes?: unknown; payload?: unknown } | undefined)?.bytes;
  return inner instanceof Uint8Array ? inner.length : 0;
}
