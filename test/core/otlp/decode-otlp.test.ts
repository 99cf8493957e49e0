import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedInputError, RejectedError } from '../../../core/errors.ts';
import { FrameKind } from '../../../core/flamegraph/call-tree.ts';
import { labelsKey } from '../../../core/labels/labels.ts';
import {
  addOtlp,
  OTLP_SERIES_MAX,
  type OtlpOptions,
  type OtlpSummary,
} from '../../../core/otlp/decode-otlp.ts';
import { DatasetBuilder } from '../../../core/profile/dataset-builder.ts';
import { contentOf } from '../pprof/decoded.ts';
import { bytesOf, len, num, packed } from '../wire/proto-bytes.ts';
import { type OtlpText, otlpBytes } from './otlp-bytes.ts';

const NOW = 1_700_000_000_000;
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{}';
const PERIOD = 52_631_579;

interface Decoded {
  readonly summary: OtlpSummary;
  readonly dataset: DatasetBuilder;
  readonly resources: Record<string, unknown>[];
}

function decode(bytes: Uint8Array, options: Partial<OtlpOptions> = {}): Decoded {
  const dataset = new DatasetBuilder('shop');
  const resources: Record<string, unknown>[] = [];
  const summary = addOtlp(bytes, {
    now: NOW,
    target: (resource) => {
      resources.push(Object.fromEntries(resource));
      return { dataset, labels: [['service_name', 'shop']], batch: 0 };
    },
    ...options,
  });
  return { summary, dataset, resources };
}

const STRINGS = [
  'samples',
  'count',
  'cpu',
  'nanoseconds',
  'main',
  'serve',
  'off_cpu',
  '/bin/app',
  'thread.name',
  'profile.frame.type',
  'process.executable.build_id.gnu',
  'native',
  'kernel',
  'service.name',
  'shop',
];
const s = (text: string) => STRINGS.indexOf(text) + 1;
const CPU_HEAD = {
  type: s('samples'),
  unit: s('count'),
  periodType: s('cpu'),
  periodUnit: s('nanoseconds'),
  period: PERIOD,
  time: BigInt(NOW) * 1_000_000n,
  duration: 10_000_000_000n,
};

/** main (1) calls serve (2) in /bin/app; stack 1 is both, stack 2 only main. */
const BASE: OtlpText = {
  strings: STRINGS,
  attributes: [
    [s('thread.name'), 'worker'],
    [s('thread.name'), { index: s('shop') }],
    [s('profile.frame.type'), { index: s('native') }],
    [s('profile.frame.type'), 'kernel'],
    [s('process.executable.build_id.gnu'), 'c0ffee'],
  ],
  mappings: [{ filename: s('/bin/app'), attributes: [5] }],
  functions: [{ name: s('main') }, { name: s('serve') }],
  locations: [
    { mapping: 1, address: 0x10, lines: [[1, 11]], attributes: [3] },
    { mapping: 1, address: 0x20, lines: [[2, 22]], attributes: [3] },
  ],
  stacks: [[2, 1], [1]],
  resources: [
    {
      attributes: [['service.name', 'shop']],
      profiles: [
        {
          ...CPU_HEAD,
          samples: [
            { stack: 1, values: [3] },
            { stack: 2, timestamps: [1, 2] },
          ],
        },
      ],
    },
  ],
};

const NATIVE = `!kind${FrameKind.native}`;
const EXPECTED = {
  [CPU]: {
    [`main:11(/bin/app)${NATIVE};serve:22(/bin/app)${NATIVE}`]: BigInt(3 * PERIOD),
    [`main:11(/bin/app)${NATIVE}`]: BigInt(2 * PERIOD),
  },
};

test('CPU samples weigh their period, by value or by timestamp', () => {
  const { summary, dataset, resources } = decode(otlpBytes(BASE));
  assert.deepEqual(contentOf(dataset), EXPECTED);
  assert.equal(summary.samples, 5);
  assert.equal(summary.rejectedProfiles, 0);
  assert.deepEqual(resources, [{ 'service.name': 'shop' }]);
  const rows = dataset.types.get(CPU.slice(0, -2))!;
  assert.deepEqual(
    [rows.start[0], rows.duration[0], rows.samples[0], rows.scale[0]],
    [NOW, 10_000, 5, PERIOD],
  );
});

test('repeated fields one by one, and unknown fields everywhere', () => {
  const unknown = [...num(100, 7), ...len(150, 'future'), ...num(200, 2n ** 63n)];
  for (const variant of [{ isUnpacked: true }, { unknown }, { isUnpacked: true, unknown }])
    assert.deepEqual(contentOf(decode(otlpBytes({ ...BASE, ...variant })).dataset), EXPECTED);
});

test('attributes by index of the string table, as collectors write them, or as text', () => {
  const attributes = [[{ index: s('service.name') }, { index: s('shop') }]] as const;
  const { resources } = decode(otlpBytes({ ...BASE, resources: [{ ...BASE.resources[0]!, attributes }] }));
  assert.deepEqual(resources, [{ 'service.name': 'shop' }]);
  // After a persistent queue both can be there: the text wins.
  const both = len(
    1,
    len(
      1,
      len(1, [
        ...len(1, 'service.name'),
        ...num(3, s('main')),
        ...len(2, [...len(1, 'x'), ...num(8, s('shop'))]),
      ]),
    ),
  );
  assert.deepEqual(decode(bytesOf(otlpBytes({ ...BASE, resources: [] }), both)).resources, [
    { 'service.name': 'shop' },
  ]);
});

test('attribute values keep their type; keys like members of objects are keys', () => {
  const attributes = [
    ['process.pid', 7],
    ['ready', true],
    ['constructor', 'c'],
  ] as const;
  const { resources } = decode(otlpBytes({ ...BASE, resources: [{ attributes, profiles: [] }] }));
  assert.deepEqual(resources, [{ 'process.pid': 7, ready: true, constructor: 'c' }]);
});

test('the dictionary may come first, after, or in pieces', () => {
  const bytes = otlpBytes(BASE);
  const onlyDictionary = otlpBytes({ ...BASE, resources: [] });
  const onlyResources = bytes.slice(0, bytes.length - onlyDictionary.length);
  assert.deepEqual(contentOf(decode(bytesOf(onlyDictionary, onlyResources)).dataset), EXPECTED);
});

test('off-CPU time and other types keep their values', () => {
  const profiles = [
    {
      type: s('off_cpu'),
      unit: s('nanoseconds'),
      samples: [{ stack: 1, values: [500, 700], timestamps: [1, 2] }],
    },
    {
      type: s('serve'),
      unit: s('count'),
      periodType: s('main'),
      periodUnit: s('count'),
      samples: [{ stack: 2, values: [9] }],
    },
  ];
  const { dataset, summary } = decode(otlpBytes({ ...BASE, resources: [{ profiles }] }));
  assert.deepEqual(
    Object.fromEntries(
      Object.entries(contentOf(dataset)).map(([type, stacks]) => [type, Object.values(stacks)]),
    ),
    { 'off_cpu:off_cpu:nanoseconds::{}': [1200n], 'serve:serve:count:main:count{}': [9n] },
  );
  assert.equal(summary.samples, 11, 'two events off CPU, nine counted');
});

test('chosen sample attributes become labels, others are summed over', () => {
  const samples = [
    { stack: 2, values: [1], attributes: [1] },
    { stack: 2, values: [2], attributes: [2, 3] },
    { stack: 2, values: [4], attributes: [1, 4], link: 0 },
  ];
  const bytes = otlpBytes({ ...BASE, resources: [{ profiles: [{ ...CPU_HEAD, samples }] }] });
  assert.deepEqual(Object.keys(contentOf(decode(bytes).dataset)), [CPU]);
  const { dataset } = decode(bytes, { sampleLabel: (key) => (key === 'thread.name' ? 'comm' : undefined) });
  assert.deepEqual(dataset.labelSets.map(labelsKey).sort(), [
    'comm\0shop\x01service_name\0shop\x01',
    'comm\0worker\x01service_name\0shop\x01',
  ]);
  assert.deepEqual(
    Object.values(contentOf(dataset)).map((stacks) => Object.values(stacks)[0]),
    [BigInt(5 * PERIOD), BigInt(2 * PERIOD)],
  );
});

test('more label sets than allowed share one that says so', () => {
  const strings = [...STRINGS, ...Array.from({ length: OTLP_SERIES_MAX + 10 }, (_, i) => `w${i}`)];
  const attributes = Array.from({ length: OTLP_SERIES_MAX + 10 }, (_, i): [number, { index: number }] => [
    s('thread.name'),
    { index: STRINGS.length + 1 + i },
  ]);
  const samples = attributes.map((_, i) => ({ stack: 2, values: [1], attributes: [i + 1] }));
  const text = {
    ...BASE,
    strings,
    attributes,
    mappings: [{}],
    locations: BASE.locations!.map(({ lines }) => ({ lines })),
    resources: [{ profiles: [{ ...CPU_HEAD, samples }] }],
  };
  const { dataset } = decode(otlpBytes(text), { sampleLabel: () => 'comm' });
  assert.equal(dataset.labelSets.length, OTLP_SERIES_MAX + 1);
  assert.equal(contentOf(dataset)[CPU.replace('{}', '{overflow=true,}')]!['main:11'], BigInt(10 * PERIOD));
});

test('lines of one location are inlined calls, the last one the caller', () => {
  const text: OtlpText = {
    ...BASE,
    locations: [
      {
        lines: [
          [2, 22],
          [1, 11],
        ],
      },
    ],
    stacks: [[1]],
    resources: [{ profiles: [{ ...CPU_HEAD, samples: [{ stack: 1, values: [1] }] }] }],
  };
  assert.deepEqual(Object.keys(contentOf(decode(otlpBytes(text)).dataset)[CPU]!), ['main:11+serve:22']);
});

test('frames without a name keep their address, with file and build id', () => {
  const text: OtlpText = {
    ...BASE,
    locations: [{ mapping: 1, address: 2n ** 63n, attributes: [4] }],
    stacks: [[1]],
    resources: [{ profiles: [{ ...CPU_HEAD, samples: [{ stack: 1, values: [1] }] }] }],
  };
  const { dataset } = decode(otlpBytes(text));
  assert.deepEqual(Object.keys(contentOf(dataset)[CPU]!), [
    `(/bin/app)@8000000000000000!kind${FrameKind.kernel}`,
  ]);
  assert.ok(dataset.symbols.strings.find('c0ffee') > 0);
});

test('deep stacks keep their root side and say that they were cut', () => {
  const text: OtlpText = {
    ...BASE,
    stacks: [new Array(5000).fill(1)],
    resources: [{ profiles: [{ ...CPU_HEAD, samples: [{ stack: 1, values: [1] }] }] }],
  };
  const [stack] = Object.keys(contentOf(decode(otlpBytes(text)).dataset)[CPU]!);
  assert.equal(stack!.split(';').length, 1024);
  assert.ok(stack!.endsWith(`;[truncated]!kind${FrameKind.marker}`));
});

test('a resource that is not wanted is counted as skipped', () => {
  const { summary } = decode(otlpBytes(BASE), { target: () => undefined });
  assert.equal(summary.skippedSamples, 5);
  assert.equal(summary.samples, 0);
});

test('samples of a broken shape are left out and counted', () => {
  const samples = [{ stack: 1, values: [1, 2], timestamps: [1] }, { stack: 1 }, { stack: 2, values: [4] }];
  const { summary, dataset } = decode(
    otlpBytes({ ...BASE, resources: [{ profiles: [{ ...CPU_HEAD, samples }] }] }),
  );
  assert.equal(summary.rejectedProfiles, 2);
  assert.match(summary.message, /values/);
  assert.deepEqual(Object.values(contentOf(dataset)[CPU]!), [BigInt(4 * PERIOD)]);
});

test('times that cannot be are now, and windows are never empty', () => {
  const windowOf = (time: bigint, duration: bigint) => {
    const { dataset } = decode(
      otlpBytes({
        ...BASE,
        resources: [{ profiles: [{ ...CPU_HEAD, time, duration, samples: [{ stack: 1, values: [1] }] }] }],
      }),
    );
    const rows = dataset.types.get(CPU.slice(0, -2))!;
    return [rows.start[0], rows.duration[0]];
  };
  assert.deepEqual(windowOf(0n, 0n), [NOW, 1]);
  assert.deepEqual(windowOf(2n ** 64n - 1n, 2n ** 64n - 1n), [NOW, 31 * 86_400_000]);
});

test('the layout of v1.9 is refused, with what to do', () => {
  // Sample of v1.9: 1 stack, 2 values, 3 attributes, 4 link, 5 timestamps.
  const oldSample = (fields: number[]) => {
    const profile = len(2, [
      ...len(1, [...num(1, s('samples')), ...num(2, s('count'))]),
      ...len(2, [...num(1, 1), ...packed(2, [3]), ...fields]),
    ]);
    return bytesOf(otlpBytes({ ...BASE, resources: [] }), len(1, len(2, profile)));
  };
  for (const bytes of [
    oldSample(packed(3, [1])),
    oldSample(num(4, 1)),
    oldSample([...packed(3, [1]), ...num(4, 1)]),
  ]) {
    assert.throws(
      () => decode(bytes),
      (error) =>
        error instanceof MalformedInputError &&
        /v1\.9 or older; upgrade the sender to v1\.10/.test(error.message),
    );
  }
});

const broken: [string, OtlpText][] = [
  ['stack beyond the table', { ...BASE, stacks: [] }],
  ['location beyond the table', { ...BASE, locations: [] }],
  ['function beyond the table', { ...BASE, functions: [] }],
  ['mapping beyond the table', { ...BASE, mappings: [] }],
  ['attribute beyond the table', { ...BASE, attributes: [] }],
  ['string beyond the table', { ...BASE, strings: STRINGS.slice(0, 4) }],
  [
    'negative index',
    {
      ...BASE,
      stacks: [[-1]],
      resources: [{ profiles: [{ ...CPU_HEAD, samples: [{ stack: 1, values: [1] }] }] }],
    },
  ],
  [
    'negative value',
    { ...BASE, resources: [{ profiles: [{ ...CPU_HEAD, samples: [{ stack: 1, values: [-1] }] }] }] },
  ],
  [
    'value of 2^53',
    { ...BASE, resources: [{ profiles: [{ ...CPU_HEAD, samples: [{ stack: 1, values: [2n ** 53n] }] }] }] },
  ],
];
for (const [name, text] of broken) {
  test(`refused: ${name}`, () => assert.throws(() => decode(otlpBytes(text)), MalformedInputError));
}

test('refused: sums that are not exact', () => {
  const samples = [
    { stack: 1, values: [2n ** 52n, 2n ** 52n] },
    { stack: 2, values: [5] },
  ];
  assert.throws(
    () => decode(otlpBytes({ ...BASE, resources: [{ profiles: [{ ...CPU_HEAD, samples }] }] })),
    RejectedError,
  );
});

test('refused: stacks that unfold without bound', () => {
  const lines = Array.from({ length: 1000 }, (): [number, number] => [1, 1]);
  const stacks = Array.from({ length: 20_000 }, () => [1]);
  const samples = stacks.map((_, i) => ({ stack: i + 1, values: [1] }));
  assert.throws(
    () =>
      decode(
        otlpBytes({
          ...BASE,
          locations: [{ lines }],
          stacks,
          resources: [{ profiles: [{ ...CPU_HEAD, samples }] }],
        }),
      ),
    /otlp_frames_max/,
  );
});

test('an empty request is an empty answer', () => {
  assert.deepEqual(decode(new Uint8Array()).summary, {
    samples: 0,
    skippedSamples: 0,
    endMs: 0,
    rejectedProfiles: 0,
    message: '',
  });
});

test('cut off anywhere and changed anywhere: refused or decoded', () => {
  const bytes = otlpBytes(BASE);
  const attempt = (input: Uint8Array) => {
    try {
      decode(input, { sampleLabel: (key) => key });
    } catch (error) {
      assert.ok(
        error instanceof MalformedInputError || error instanceof RejectedError,
        (error as Error).stack,
      );
    }
  };
  for (let length = 0; length < bytes.length; length++) attempt(bytes.subarray(0, length));
  for (let at = 0; at < bytes.length; at++) {
    for (const byte of [0, 1, 2, 0x7f, 0x80, 0xff]) {
      const changed = bytes.slice();
      changed[at] = byte;
      attempt(changed);
    }
  }
});
