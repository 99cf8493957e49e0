import type { Clock } from '../clock.ts';
import type { HubClock } from '../hub-clock.ts';
import type { CredentialSource } from './credentials.ts';
import type { HttpAnswer, Transport } from './http-transport.ts';
import { answerDate } from './read-answer.ts';
import { RequestSigner } from './sign-request.ts';

/** Half of the second that a Date header leaves out. */
const DATE_ROUNDING_MS = 500;

/** Posts signed requests to the routes of one cluster, and learns the hub's time from every answer. */
export class HubClient {
  readonly #base: URL;
  readonly #signer: RequestSigner;
  readonly #credentials: CredentialSource;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #hubClock: HubClock;

  /** @param options.hubUrl may have a path, below which the hub's routes lie */
  constructor(options: {
    hubUrl: string;
    cluster: string;
    credentials: CredentialSource;
    region: string;
    transport: Transport;
    clock: Clock;
    hubClock: HubClock;
  }) {
    const base = options.hubUrl.endsWith('/') ? options.hubUrl : `${options.hubUrl}/`;
    this.#base = new URL(`v1/clusters/${encodeURIComponent(options.cluster)}/`, base);
    this.#credentials = options.credentials;
    this.#signer = new RequestSigner(options);
    this.#transport = options.transport;
    this.#clock = options.clock;
    this.#hubClock = options.hubClock;
  }

  /**
   * @param route `batches` or `heartbeat`
   * @throws CredentialsError when there is nothing to sign with; anything else when no whole answer came: the hub may or
   * may not have acted
   */
  async post(
    route: string,
    contentType: string,
    body: Uint8Array,
    signal?: AbortSignal,
  ): Promise<HttpAnswer> {
    const url = new URL(route, this.#base);
    const request = await this.#signer.sign({ method: 'POST', url, contentType, body }, this.#hubClock.now());
    const sentAt = this.#clock.monotonic();
    const answer = await this.#transport(request, signal);
    const date = answerDate(answer);
    if (date !== undefined) this.#hubClock.observe(date + DATE_ROUNDING_MS, sentAt);
    return answer;
  }

  /** The hub refused what requests are signed with. @returns whether others will be tried from now on */
  refreshCredentials(): boolean {
    return this.#credentials.refresh();
  }
}
