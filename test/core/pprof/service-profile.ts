import type { PprofText } from './pprof-bytes.ts';

/** A profile as a service has it: hundreds of functions with long names, deep stacks, inlined calls; the same per seed. */
export function aServiceProfile(seed: number): PprofText {
  const next = numbers(seed);
  const below = (limit: number) => Math.floor(next() * limit);
  const functionCount = 300;
  const functions = Array.from({ length: functionCount }, (_, i) => ({
    id: i + 1,
    name: `github.com/shop/internal/module${i % 17}.(*Type${i % 29}).Method${i}`,
    systemName: `github.com/shop/internal/module${i % 17}.(*Type${i % 29}).Method${i}`,
    filename: `/go/src/github.com/shop/internal/module${i % 17}/file${i % 31}.go`,
    startLine: 10 + (i % 500),
  }));
  const locations = Array.from({ length: functionCount * 2 }, (_, i) => ({
    id: i + 1,
    mapping: 1,
    address: 0x40_0000 + i * 16,
    lines: Array.from({ length: i % 9 === 0 ? 3 : 1 }, (__, k): [number, number] => [
      ((i + k * 7) % functionCount) + 1,
      10 + below(400),
    ]),
  }));
  const samples = Array.from({ length: 400 }, () => {
    const depth = 5 + below(25);
    let at = below(20);
    const path = Array.from({ length: depth }, () => (at = (at * 3 + below(3) + 1) % locations.length) + 1);
    const count = 1 + below(9);
    return { locations: path.reverse(), values: [count, count * 10_000_000] };
  });
  return {
    sampleTypes: ['samples/count', 'cpu/nanoseconds'],
    periodType: 'cpu/nanoseconds',
    period: 10_000_000,
    timeNanos: 1_700_000_000_000_000_000n + BigInt(seed) * 10_000_000_000n,
    durationNanos: 10_000_000_000n,
    mappings: [
      {
        id: 1,
        start: 0x40_0000,
        limit: 0x80_0000,
        filename: '/app/shop',
        buildId: 'c0ffee',
        has: [true, true, true, true],
      },
    ],
    functions,
    locations,
    samples,
  };
}

/** The same sequence in [0, 1) per seed (a linear congruential generator). */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}
