import type { Log } from '../engine/engine.ts';

/** A key pair that the hub issued for a cluster, or temporary credentials of a role. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Good until then; absent for a key pair. */
  readonly expiration?: Date;
}

/** Where the credentials come from that requests are signed with. */
export interface CredentialSource {
  /** Good ones, as far as is known here. @throws CredentialsError when there are none */
  get(): Promise<Credentials>;
  /** The hub refused what `get` gave. @returns whether the next `get` may give others */
  refresh(): boolean;
}

/** There is nothing to sign with at the moment. The message says why. */
export class CredentialsError extends Error {
  override name = 'CredentialsError';
}

/** A key pair, which stays what it is. */
export function fixedCredentials(credentials: Credentials): CredentialSource {
  return { get: async () => credentials, refresh: () => false };
}

/** Temporary credentials are replaced this long before they end, so that nothing signed with them arrives too late. */
const REFRESH_BEFORE_MS = 5 * 60_000;
/** While new ones cannot be had but the old are still good, this long is waited between tries. */
const TRY_AGAIN_MS = 30_000;

export interface TemporaryOptions {
  /** Asks for new ones. */
  readonly load: () => Promise<Credentials>;
  /** Now, ms since epoch, on the clock of who issues them: the hub's, as far as it is known. */
  readonly now: () => number;
  readonly log: Log;
}

/** Credentials that end, and are replaced before they do; whoever asks meanwhile waits for the same answer. */
export class TemporaryCredentials implements CredentialSource {
  readonly #options: TemporaryOptions;
  #held: Credentials | undefined;
  #loading: Promise<Credentials> | undefined;
  #tryAgainAt = Number.NEGATIVE_INFINITY;

  constructor(options: TemporaryOptions) {
    this.#options = options;
  }

  async get(): Promise<Credentials> {
    const now = this.#options.now();
    const held = this.#held;
    if (held !== undefined && (this.#leftMs(held, now) > REFRESH_BEFORE_MS || now < this.#tryAgainAt)) {
      return held;
    }
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    try {
      return await this.#loading;
    } catch (error) {
      if (held === undefined || this.#held !== held || this.#leftMs(held, now) <= 0) throw error;
      this.#tryAgainAt = now + TRY_AGAIN_MS;
      this.#options.log('warn', `${(error as Error).message}; those at hand are good for a while yet`);
      return held;
    }
  }

  refresh(): boolean {
    this.#held = undefined;
    return true;
  }

  async #load(): Promise<Credentials> {
    try {
      this.#held = await this.#options.load();
      return this.#held;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new CredentialsError(`no credentials to sign with: ${reason}`, { cause });
    }
  }

  #leftMs({ expiration }: Credentials, now: number): number {
    return expiration === undefined ? Number.POSITIVE_INFINITY : expiration.getTime() - now;
  }
}
