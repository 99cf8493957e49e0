import { AdminClient, type TokenInfo } from './admin-client.ts';
import { type Command, oneOf, readOptions } from './command.ts';
import { CONFIRM_HELP, confirmed, confirmOptions } from './confirm.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import { HUB_HELP, hubOptions } from './hub-client.ts';
import { timeText } from './quantity.ts';
import { jsonText } from './query/answer-json.ts';
import type { Terminal } from './terminal.ts';
import { textTable } from './text-table.ts';
import { parseDuration } from './time-argument.ts';

export const tokenCommand: Command = {
  name: 'token',
  summary: 'API tokens for people and tools',
  help: `Usage: cinderblock token VERB [options]

  issue NAME       issue a token for whoever NAME says uses it; it is shown this once
  list             all tokens in force
  revoke ID|NAME   refuse a token from now on

Where
${HUB_HELP}
  --output FORMAT   text (default) or json

issue
  --scope SCOPE     query, ingest, admin, or * for all of them; repeat for more (default query)
  --cluster ID      what is pushed with it is filed under this cluster; needs the scope ingest
  --expires LENGTH  refuse it after that long, such as 90d (default: when it is revoked)

list
  --all             also tokens that are revoked or have expired

revoke
${CONFIRM_HELP}
`,
  run: runToken,
};

const options = {
  ...hubOptions,
  ...confirmOptions,
  output: { type: 'string', default: 'text' },
  scope: { type: 'string', multiple: true },
  cluster: { type: 'string' },
  expires: { type: 'string' },
  all: { type: 'boolean', default: false },
} as const;

type Values = ReturnType<typeof readOptions<typeof options>>['values'];

async function runToken(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = readOptions(args, options);
  const verb = oneOf('the verb', positionals[0] ?? '', ['issue', 'list', 'revoke']);
  oneOf('--output', values.output, ['text', 'json']);
  const [name, ...more] = positionals.slice(1);
  if (more.length > 0 || (verb === 'list' && name !== undefined)) {
    throw new UsageError(`"${positionals.at(-1)}" is one word too many`);
  }
  const admin = new AdminClient(values, terminal);
  if (verb === 'list') return listTokens(admin, values, terminal);
  if (name === undefined)
    throw new UsageError(verb === 'issue' ? 'name who uses the token' : 'name the token');
  return verb === 'issue'
    ? issueToken(admin, name, values, terminal)
    : revokeToken(admin, name, values, terminal);
}

/** The token alone goes to standard output, so that it can be piped to where it belongs. */
async function issueToken(
  admin: AdminClient,
  name: string,
  { scope = ['query'], cluster, expires, output }: Values,
  terminal: Terminal,
): Promise<number> {
  const issued = await admin.call('IssueToken', {
    name,
    scopes: cluster === undefined ? scope : [...scope, `cluster:${cluster}`],
    ...(expires !== undefined && { lifetimeMs: String(parseDuration('--expires', expires)) }),
  });
  if (output === 'json') await terminal.write(jsonText(issued));
  else {
    const { id, scopes, revokedAtMs } = issued.info;
    const end = revokedAtMs === undefined ? 'until it is revoked' : `until ${timeText(Number(revokedAtMs))}`;
    terminal.note(`token ${id} of ${name}, for ${scopes.join(', ')}, good ${end}; it is shown this once:`);
    await terminal.write(`${issued.token}\n`);
  }
  return ExitCode.ok;
}

async function listTokens(admin: AdminClient, { all, output }: Values, terminal: Terminal): Promise<number> {
  const { tokens, nowMs } = await admin.call('ListTokens', {});
  const isInForce = ({ revokedAtMs }: TokenInfo) =>
    revokedAtMs === undefined || Number(revokedAtMs) > Number(nowMs);
  const shown = tokens.filter((token) => all || isInForce(token));
  if (output === 'json') await terminal.write(jsonText({ tokens: shown }));
  else if (shown.length === 0)
    terminal.note('there are no tokens; `cinderblock token issue NAME` issues one');
  else {
    const columns = [
      { title: 'id' },
      { title: 'name' },
      { title: 'scopes' },
      { title: 'issued' },
      { title: 'good until' },
    ];
    const rows = shown.map(({ id, name, scopes, createdAtMs, revokedAtMs }) => [
      id,
      name,
      scopes.join(' '),
      timeText(Number(createdAtMs)),
      revokedAtMs === undefined ? '-' : timeText(Number(revokedAtMs)),
    ]);
    await terminal.write(textTable(columns, rows, terminal.width));
  }
  return ExitCode.ok;
}

async function revokeToken(
  admin: AdminClient,
  token: string,
  { yes, output }: Values,
  terminal: Terminal,
): Promise<number> {
  const consequence = `Whoever uses the token ${token} is refused from now on`;
  if (!(await confirmed(terminal, yes, consequence))) return ExitCode.refused;
  const { info } = await admin.call('RevokeToken', { token });
  await terminal.write(
    output === 'json' ? jsonText(info) : `token ${info.id} of ${info.name} is refused from now on\n`,
  );
  return ExitCode.ok;
}
