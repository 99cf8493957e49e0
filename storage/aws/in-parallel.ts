/** Calls under way at once for one larger read or write. */
const PARALLEL = 8;

/** Answers in the order of the inputs, with a bounded number of calls under way. */
export async function inParallel<T, R>(inputs: T[], call: (input: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = new Array(inputs.length);
  let next = 0;
  const lane = async () => {
    while (next < inputs.length) {
      const at = next++;
      answers[at] = await call(inputs[at]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, inputs.length) }, lane));
  return answers;
}

/** Pieces of at most `size`, in order. */
export function chunks<T>(all: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}
