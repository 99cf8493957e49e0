import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { MalformedInputError, RejectedError } from '../../../core/errors.ts';
import { addPprof } from '../../../core/pprof/decode-pprof.ts';
import { DatasetBuilder } from '../../../core/profile/dataset-builder.ts';
import { fuzzOptions } from '../fuzz-options.ts';
import { contentOf, decode, OPTIONS, totalsOf } from './decoded.ts';
import { pprofBytes } from './pprof-bytes.ts';
import { randomPprof } from './random-pprof.ts';

// Laws: totals are those that another decoder (npm pprof-format) finds; the order of samples changes nothing; a merge
// is the sum of its parts; damaged bytes are refused as malformed or rejected, or decoded, and nothing else; a refused
// profile leaves no rows.

const { Profile } = createRequire(import.meta.url)('pprof-format') as typeof import('pprof-format');

const mayRefuse = (error: unknown) =>
  assert.ok(error instanceof MalformedInputError || error instanceof RejectedError, (error as Error).stack);

test('totals are those of another decoder', () => {
  fc.assert(
    fc.property(randomPprof({ labels: true }), (text) => {
      const raw = pprofBytes(text);
      const totals = totalsOf(decode(raw).dataset);
      const peer = Profile.decode(raw);
      for (const [t, type] of text.sampleTypes!.entries()) {
        const sum = peer.sample.reduce((all, sample) => all + BigInt(sample.value[t]!), 0n);
        assert.equal(totals[`test:${type.replace('/', ':')}::`] ?? 0n, sum);
      }
    }),
    fuzzOptions(300),
  );
});

test('layout and the order of samples change nothing', () => {
  fc.assert(
    fc.property(randomPprof({ labels: true }), (text) => {
      const content = contentOf(decode(pprofBytes(text)).dataset);
      const turned = {
        ...text,
        samples: [...text.samples!].reverse(),
        isUnpacked: !text.isUnpacked,
        stringsFirst: !text.stringsFirst,
      };
      assert.deepEqual(contentOf(decode(pprofBytes(turned)).dataset), content);
    }),
    fuzzOptions(200),
  );
});

test('a merge is the sum of its parts', () => {
  fc.assert(
    fc.property(fc.array(randomPprof(), { minLength: 1, maxLength: 4 }), (texts) => {
      const merged = new DatasetBuilder('shop');
      const sum: Record<string, Record<string, bigint>> = {};
      for (const text of texts) {
        addPprof(merged, pprofBytes(text), OPTIONS);
        for (const [key, stacks] of Object.entries(contentOf(decode(pprofBytes(text)).dataset))) {
          for (const [stack, value] of Object.entries(stacks)) {
            sum[key] ??= {};
            sum[key][stack] = (sum[key][stack] ?? 0n) + value;
          }
        }
      }
      assert.deepEqual(contentOf(merged), sum);
    }),
    fuzzOptions(100),
  );
});

test('bytes cut off anywhere', () => {
  fc.assert(
    fc.property(randomPprof({ labels: true }), (text) => {
      const raw = pprofBytes(text);
      for (let length = 0; length < raw.length; length++) {
        try {
          // Cut by copying and by a view: a decoder must not look behind the end of a view either.
          decode(length % 2 === 0 ? raw.slice(0, length) : raw.subarray(0, length));
        } catch (error) {
          mayRefuse(error);
        }
      }
    }),
    fuzzOptions(15),
  );
});

test('bytes changed anywhere', () => {
  const change = fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)));
  fc.assert(
    fc.property(
      randomPprof({ labels: true, maxValue: 2n ** 63n - 1n }),
      fc.array(change, { minLength: 1, maxLength: 8 }),
      (text, changes) => {
        const raw = pprofBytes(text);
        for (const [at, byte] of changes) raw[at % raw.length] = byte;
        const dataset = new DatasetBuilder('shop');
        try {
          addPprof(dataset, raw, { ...OPTIONS, keepAddresses: 'unsymbolized' });
        } catch (error) {
          mayRefuse(error);
          assert.deepEqual([...dataset.types], [], 'a refused profile leaves no rows');
          return;
        }
        for (const rows of dataset.types.values()) {
          for (let i = 0; i < rows.entryCount; i++) {
            assert.ok(rows.values[i]! > 0 && rows.values[i]! <= Number.MAX_SAFE_INTEGER);
            assert.ok(rows.stacks[i]! < dataset.symbols.stacks.count);
          }
        }
      },
    ),
    fuzzOptions(2000),
  );
});

test('any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decode(bytes);
      } catch (error) {
        mayRefuse(error);
      }
    }),
    fuzzOptions(2000),
  );
});
