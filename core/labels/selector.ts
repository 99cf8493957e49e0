import { RejectedError } from '../errors.ts';
import type { Matcher, MatchOp } from './matcher.ts';

// Grammar (that of a PromQL vector selector, with names in quotes allowed as in Prometheus 3):
//   selector = [ profile type id ] [ "{" [ matcher { "," matcher } [ "," ] ] "}" ]
//   matcher  = name op string        name = [A-Za-z_][A-Za-z0-9_.]* | string        op = = != =~ !~
//   string   = "…" or '…' with the escapes \\ \" \' \n \t \r \xHH \uHHHH, or `…` without

/** A parsed selector. */
export interface Selector {
  /** What stood before the braces, such as a profile type id; "" when nothing did. */
  readonly profileType: string;
  readonly matchers: readonly Matcher[];
}

/** Longest selector, in characters. */
export const SELECTOR_LENGTH_MAX = 16_384;

/** @throws RejectedError('invalid') that names the position */
export function parseSelector(text: string): Selector {
  return new SelectorParser(text).parse();
}

/** The text form of matchers; parseSelector(formatSelector(x)) = x. */
export function formatSelector(matchers: readonly Matcher[], profileType = ''): string {
  const parts = matchers.map(
    ({ name, op, value }) => `${PLAIN_NAME.test(name) ? name : quote(name)}${op}${quote(value)}`,
  );
  return `${profileType}{${parts.join(', ')}}`;
}

const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

function quote(text: string): string {
  return JSON.stringify(text);
}

class SelectorParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    if (text.length > SELECTOR_LENGTH_MAX) {
      throw new RejectedError(
        'invalid',
        `the selector has ${text.length} characters, the limit is ${SELECTOR_LENGTH_MAX}`,
      );
    }
    this.#text = text;
  }

  parse(): Selector {
    const brace = this.#text.indexOf('{');
    const profileType = (brace < 0 ? this.#text : this.#text.slice(0, brace)).trim();
    if (brace < 0) return { profileType, matchers: [] };
    this.#at = brace + 1;
    const matchers: Matcher[] = [];
    while (!this.#accept('}')) {
      matchers.push(this.#matcher());
      if (this.#accept(',')) continue;
      if (!this.#accept('}')) this.#fail('expects "," or "}"');
      break;
    }
    this.#skipBlanks();
    if (this.#at < this.#text.length) this.#fail('expects nothing more');
    return { profileType, matchers };
  }

  #matcher(): Matcher {
    const name = this.#name();
    const op = this.#op();
    this.#skipBlanks();
    return { name, op, value: this.#string() };
  }

  #name(): string {
    this.#skipBlanks();
    if (/["'`]/.test(this.#text[this.#at] ?? '')) return this.#string();
    const match = /^[A-Za-z_][A-Za-z0-9_.]*/.exec(this.#text.slice(this.#at));
    if (match === null) this.#fail('expects a label name');
    this.#at += match[0].length;
    return match[0];
  }

  #op(): MatchOp {
    this.#skipBlanks();
    const op = (['=~', '!~', '!=', '='] as const).find((candidate) =>
      this.#text.startsWith(candidate, this.#at),
    );
    if (op === undefined) this.#fail('expects =, !=, =~ or !~');
    this.#at += op.length;
    return op;
  }

  #string(): string {
    const open = this.#text[this.#at] ?? '';
    if (!/["'`]/.test(open)) this.#fail('expects a value in quotes');
    this.#at++;
    let value = '';
    for (;;) {
      const char = this.#text[this.#at++];
      if (char === undefined) this.#fail(`lacks the closing ${open}`);
      if (char === open) return value;
      value += char === '\\' && open !== '`' ? this.#escape() : char;
    }
  }

  #escape(): string {
    const char = this.#text[this.#at++] ?? '';
    const simple = SIMPLE_ESCAPES[char];
    if (simple !== undefined) return simple;
    const digits = char === 'x' ? 2 : char === 'u' ? 4 : 0;
    const hex = this.#text.slice(this.#at, this.#at + digits);
    if (digits === 0 || !/^[0-9a-fA-F]+$/.test(hex) || hex.length < digits)
      this.#fail(`does not know the escape \\${char}`);
    this.#at += digits;
    return String.fromCharCode(Number.parseInt(hex, 16));
  }

  #accept(char: string): boolean {
    this.#skipBlanks();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #skipBlanks(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #fail(message: string): never {
    throw new RejectedError(
      'invalid',
      `selector ${JSON.stringify(this.#text)} ${message} at character ${this.#at + 1}`,
    );
  }
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  __proto__: null as never,
  '\\': '\\',
  '"': '"',
  "'": "'",
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
