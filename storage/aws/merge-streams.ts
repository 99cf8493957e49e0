/** Merges streams that each ascend by `keyOf` into one that does. Reads no further in any of them than it must. */
export async function* mergeAscending<T>(
  streams: AsyncGenerator<T>[],
  keyOf: (value: T) => string,
): AsyncGenerator<T> {
  const heads = await Promise.all(streams.map((stream) => stream.next()));
  for (;;) {
    const at = lowest(heads, keyOf);
    if (at < 0) return;
    yield heads[at].value;
    heads[at] = await streams[at].next();
  }
}

function lowest<T>(heads: IteratorResult<T>[], keyOf: (value: T) => string): number {
  let best = -1;
  for (let i = 0; i < heads.length; i++) {
    if (!heads[i].done && (best < 0 || keyOf(heads[i].value) < keyOf(heads[best].value))) best = i;
  }
  return best;
}
