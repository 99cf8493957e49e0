import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completenessText } from '../../cli/query/completeness-text.ts';
import { continueCommand } from '../../cli/query/continue-command.ts';
import { newCompleteness } from '../../core/query/completeness.ts';

const START = Date.UTC(2026, 10, 21);
const BEFORE = Date.UTC(2026, 10, 21, 9, 30, 0, 250);

test('a cut answer comes with the command that asks for the rest', () => {
  const asked = { selector: `{pod="it's"}`, 'group-by': ['pod', 'zone'], until: 'now', token: 'secret' };
  const command = continueCommand(['series'], asked, START, BEFORE);
  assert.equal(
    command,
    `cinderblock query series --selector '{pod="it'\\''s"}' --group-by pod --group-by zone` +
      ' --until 2026-11-21T09:30:00.250Z --from 2026-11-21T00:00:00.000Z',
  );
  const cut = { ...newCompleteness(), complete: false, continueBefore: BEFORE };
  const text = completenessText(cut, { color: false }, () => command);
  assert.ok(text.endsWith(`\n  what is older: ${command}`), text);
  assert.ok(!completenessText(newCompleteness(), { color: false }, () => command).includes('older'));
});

test('a file that was written is not written over', () => {
  const command = continueCommand(['flamegraph'], { file: 'a b.pb.gz', from: '1' }, START, BEFORE);
  assert.match(command, / --file 'a b\.pb\.gz\.older'$/);
  assert.match(command, /^cinderblock query flamegraph --from 2026/);
});
