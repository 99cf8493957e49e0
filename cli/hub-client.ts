import { MalformedInputError, RejectedError, RetryableError } from '../core/errors.ts';
import { UsageError } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

export const DEFAULT_URL = 'http://127.0.0.1:4040';

/** Options that say which server, shared by the commands that talk to one. */
export const hubOptions = { url: { type: 'string' }, token: { type: 'string' } } as const;

export const HUB_HELP = `  --url URL       the server (CINDERBLOCK_URL, default ${DEFAULT_URL})
  --token TOKEN   API token, where the server asks for one (CINDERBLOCK_TOKEN)`;

/** Talks HTTP to one hub, and turns its refusals into the errors that exit codes follow. */
export class HubClient {
  readonly url: string;
  readonly #token: string | undefined;
  readonly #signal: AbortSignal;

  /** @throws UsageError when the URL is none */
  constructor(values: { readonly url?: string; readonly token?: string }, { env, signal }: Terminal) {
    this.url = (values.url ?? env.CINDERBLOCK_URL ?? DEFAULT_URL).replace(/\/+$/, '');
    if (!/^https?:\/\/[^/]/.test(this.url) || !URL.canParse(this.url)) {
      throw new UsageError(`--url is "${this.url}", it must be like ${DEFAULT_URL}`);
    }
    this.#token = values.token ?? (env.CINDERBLOCK_TOKEN || undefined);
    this.#signal = signal;
  }

  /** GET with query parameters. */
  get(path: string, parameters: Readonly<Record<string, string>>): Promise<Response> {
    return this.#send(`${path}?${new URLSearchParams(parameters)}`, { method: 'GET' });
  }

  /** POST of bytes. */
  post(path: string, body: Uint8Array, contentType: string): Promise<Response> {
    const headers = { 'content-type': contentType };
    return this.#send(path, { method: 'POST', body: body as Uint8Array<ArrayBuffer>, headers });
  }

  /** A call of a Connect method in JSON. */
  async call(
    method: string,
    request: object,
  ): Promise<{ answer: Record<string, unknown>; headers: Headers }> {
    const body = new TextEncoder().encode(JSON.stringify(request));
    const response = await this.post(`/${method}`, body, 'application/json');
    const answer = (await bodyOf(response, (r) => r.json())) as Record<string, unknown>;
    return { answer, headers: response.headers };
  }

  /** @throws RejectedError, RetryableError, MalformedInputError, as the hub's answer asks for */
  async #send(path: string, init: RequestInit & { headers?: Record<string, string> }): Promise<Response> {
    const headers = { ...init.headers, ...(this.#token && { authorization: `Bearer ${this.#token}` }) };
    let response: Response;
    try {
      response = await fetch(this.url + path, { ...init, headers, signal: this.#signal });
    } catch (cause) {
      this.#signal.throwIfAborted();
      throw unreachable(this.url, cause);
    }
    if (!response.ok) throw await refusal(this.url, response);
    return response;
  }
}

/** The body of an answer. @throws RetryableError when the connection breaks in the middle of it */
export async function bodyOf<T>(response: Response, read: (response: Response) => Promise<T>): Promise<T> {
  try {
    return await read(response);
  } catch (cause) {
    if (cause instanceof SyntaxError)
      throw new MalformedInputError('answer', `${response.url} does not answer as Cinderblock does`);
    throw new RetryableError(`the answer of ${response.url} broke off: ${reasonOf(cause)}`, { cause });
  }
}

/** The hub says, or did not even listen to hear, that it did not take what was sent: sending it again stores nothing twice. */
export class NotTakenError extends RetryableError {
  override name = 'NotTakenError';
}

function unreachable(url: string, cause: unknown): RetryableError {
  const reason = reasonOf(cause);
  if (reason !== 'ECONNREFUSED') return new RetryableError(`no answer from ${url}: ${reason}`, { cause });
  return new NotTakenError(`nobody listens at ${url}; \`cinderblock serve\` starts a server`, { cause });
}

/** fetch hides the reason one level down, and for several addresses two. */
function reasonOf(error: unknown): string {
  const cause = (error as Error).cause as
    | (NodeJS.ErrnoException & { errors?: NodeJS.ErrnoException[] })
    | undefined;
  return cause?.code ?? cause?.errors?.[0]?.code ?? cause?.message ?? (error as Error).message;
}

async function refusal(url: string, response: Response): Promise<Error> {
  const text = await response.text().catch(() => '');
  const message = messageIn(text) || `${url} answers ${response.status} ${response.statusText}`;
  const retryAfterSeconds = Number(response.headers.get('retry-after')) || undefined;
  switch (response.status) {
    case 401:
      return new RejectedError('unauthenticated', message);
    case 403:
      return new RejectedError('forbidden', message);
    case 404:
      return new RejectedError('not-found', message);
    case 413:
      return new RejectedError('too-large', message);
    case 429:
      return new RejectedError('rate-limited', message, { retryAfterSeconds });
    case 400:
    case 415:
    case 422:
      return new MalformedInputError('refused', message);
    case 503:
      return new NotTakenError(message, { retryAfterSeconds });
    case 502:
    case 504:
      return new RetryableError(message, { retryAfterSeconds });
    default:
      return new Error(`${url}: ${message}`);
  }
}

function messageIn(text: string): string {
  try {
    const { message } = JSON.parse(text);
    return typeof message === 'string' ? message : '';
  } catch {
    return '';
  }
}
