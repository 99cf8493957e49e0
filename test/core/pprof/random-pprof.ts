import fc from 'fast-check';
import type { PprofText } from './pprof-bytes.ts';

// Random well-formed profiles: few names and ids, so that they repeat and meet.

const id = fc.oneof(
  fc.integer({ min: 1, max: 12 }),
  fc.constantFrom(127, 128, 16_383, 16_384, 2 ** 21, 2 ** 32, 2n ** 60n, 2n ** 64n - 1n),
);
const name = fc.oneof(
  fc.constantFrom('main', 'serve', 'check', '__proto__', 'größe', '\u{1f525}', '<b>', 'a;b', 'x'.repeat(300)),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
);
const address = fc.oneof(fc.constantFrom(0, 1, 0x40_0010), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const line = fc.nat(0xffff_ffff);
const label = fc.oneof(
  fc.constantFrom('a', 'b', 'größe'),
  fc.integer({ min: -5, max: 5 }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);

const byId = <T extends { id: number | bigint }>(entry: fc.Arbitrary<T>, minLength: number) =>
  fc.uniqueArray(entry, { minLength, maxLength: 10, selector: (each) => String(each.id) });

export interface RandomPprofOptions {
  readonly maxValue?: bigint;
  readonly labels?: boolean;
}

/** A profile whose references are all there. */
export function randomPprof({
  maxValue = 2n ** 40n,
  labels = false,
}: RandomPprofOptions = {}): fc.Arbitrary<PprofText> {
  const value = fc.oneof(fc.nat(3), fc.bigInt({ min: 0n, max: maxValue }));
  return fc
    .record({
      types: fc.constantFrom(['samples/count'], ['samples/count', 'cpu/nanoseconds'], ['a/b', 'c/d', 'e/']),
      mappings: byId(
        fc.record({
          id,
          start: address,
          limit: address,
          offset: address,
          filename: name,
          buildId: name,
          has: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
        }),
        1,
      ),
      functions: byId(fc.record({ id, name, systemName: name, filename: name, startLine: line }), 1),
      isUnpacked: fc.boolean(),
      stringsFirst: fc.boolean(),
      timeNanos: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
      durationNanos: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    })
    .chain(({ types, ...rest }) =>
      byId(
        fc.record({
          id,
          mapping: fc.constantFrom(0, ...rest.mappings.map((each) => each.id)),
          address,
          lines: fc.array(fc.tuple(fc.constantFrom(...rest.functions.map((each) => each.id)), line, line), {
            maxLength: 4,
          }),
          isFolded: fc.boolean(),
        }),
        1,
      ).chain((locations) =>
        fc
          .array(
            fc.record(
              {
                locations: fc.array(fc.constantFrom(...locations.map((each) => each.id)), { maxLength: 12 }),
                values: fc.tuple(...types.map(() => value)),
                labels: labels
                  ? fc.dictionary(fc.constantFrom('thread', 'größe', '__proto__', 'trace_id', 'bytes'), label)
                  : fc.constant({}),
              },
              { noNullPrototype: true },
            ),
            { maxLength: 20 },
          )
          .map((samples) => ({ ...rest, sampleTypes: types, locations, samples })),
      ),
    );
}
