export type MatchOperator = '=' | '!=' | '=~' | '!~';

/** One condition on a label. */
export interface LabelFilter {
  name: string;
  operator: MatchOperator;
  value: string;
}

export const OPERATORS: readonly { operator: MatchOperator; words: string }[] = [
  { operator: '=', words: 'is' },
  { operator: '!=', words: 'is not' },
  { operator: '=~', words: 'matches' },
  { operator: '!~', words: 'does not match' },
];

/** PromQL selector: `{service_name="api",pod=~"api-.*"}`. No service and no filters select everything: `{}`. */
export function selectorOf(service: string, filters: readonly LabelFilter[]): string {
  const all: LabelFilter[] = service === '' ? [...filters] : [serviceFilter(service), ...filters];
  return `{${all.map(filterText).join(',')}}`;
}

function serviceFilter(service: string): LabelFilter {
  return { name: 'service_name', operator: '=', value: service };
}

/** `pod=~"api-.*"`; names beyond letters, digits and `_` are quoted. */
export function filterText({ name, operator, value }: LabelFilter): string {
  const plain = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
  return `${plain ? name : quote(name)}${operator}${quote(value)}`;
}

function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`;
}

/** Reads what a person types: `pod="x"`, `pod=x`, `pod =~ api-.*`. */
export function parseFilter(text: string): LabelFilter | undefined {
  const match = /^\s*("(?:[^"\\]|\\.)*"|[^\s=!~"]+)\s*(=~|!~|!=|=)\s*(.*?)\s*$/s.exec(text);
  if (!match || match[3] === '') return undefined;
  return { name: unquote(match[1]), operator: match[2] as MatchOperator, value: unquote(match[3]) };
}

function unquote(text: string): string {
  const match = /^"(.*)"$/s.exec(text);
  return match ? match[1].replace(/\\(n|.)/gs, (_, char) => (char === 'n' ? '\n' : char)) : text;
}

/** One URL parameter; two-letter operators, so that a value may start with `~` or `=`. */
export function filterToParam({ name, operator, value }: LabelFilter): string {
  return `${name.replace(/[%=!~]/g, encodeChar)}${operator === '=' ? '==' : operator}${value}`;
}

export function filterFromParam(text: string): LabelFilter | undefined {
  const match = /^([^=!~]+)(==|!=|=~|!~)(.*)$/s.exec(text);
  if (!match) return undefined;
  const operator = (match[2] === '==' ? '=' : match[2]) as MatchOperator;
  return { name: match[1].replace(/%(25|3d|21|7e)/gi, decodeChar), operator, value: match[3] };
}

function encodeChar(char: string): string {
  return `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

function decodeChar(_: string, hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}
