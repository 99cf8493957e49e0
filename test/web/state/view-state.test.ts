import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_VIEW, viewFromUrl, viewToUrl } from '../../../web/src/state/view-state.ts';

test('URLs stay readable', () => {
  const url = viewToUrl({
    ...DEFAULT_VIEW,
    page: 'diff',
    profileType: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    service: 'payments',
    filters: [{ name: 'pod', operator: '=~', value: 'api-.*' }],
    range: { kind: 'last', seconds: 900 },
    baseline: { service: undefined, filters: undefined, range: { kind: 'earlier', seconds: 86_400 } },
    steps: [{ kind: 'hide', name: 'runtime.futex' }, { kind: 'invert' }],
  });
  assert.equal(
    url,
    'diff?type=process_cpu:cpu:nanoseconds:cpu:nanoseconds&service=payments&f=pod=~api-.*&range=15m&arange=-1d&do=hide:runtime.futex&do=invert',
  );
});

test('what is broken falls back to its default', () => {
  const view = viewFromUrl(
    '/prefix/nowhere',
    '?range=soon&sel=5-1&view=pie&zoom=<b>&do=explode&do=hide&f=x&arange=-never',
  );
  assert.deepEqual(view, DEFAULT_VIEW);
});
