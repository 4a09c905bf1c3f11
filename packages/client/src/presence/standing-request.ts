import { ClientError, isPassing } from "../client-error.ts";
import type { ResumableParts } from "../connection/resumable.ts";
import type { Withdrawn } from "../connection/frames.ts";
import type { Link } from "../connection/link.ts";
import { Backoff } from "../runtime/backoff.ts";

interface StandingRequestParts extends Pick<ResumableParts, "environment" | "link"> {
  request(link: Link): Promise<unknown>;
  onGranted?(): void;
  onRefused(error: ClientError): void;
}

/** Something that is asked of the gateway on every connection, and again after what passes, until it is refused for good or stopped. */
export class StandingRequest {
  readonly #parts: StandingRequestParts;
  readonly #backoff: Backoff;
  /** The question whose answer counts. */
  #last: Promise<unknown> | undefined;

  constructor(parts: StandingRequestParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.environment);
  }

  /** To be called on every new connection, too. */
  ask(): void {
    this.stop();
    const link = this.#parts.link();
    if (link) void this.#await((this.#last = this.#parts.request(link)));
  }

  stop(): void {
    this.#backoff.cancel();
    this.#last = undefined;
  }

  /** The gateway has ended what it granted. */
  withdraw({ code, channel }: Withdrawn): void {
    if (this.#last) this.#refuse(new ClientError(code, `The presence on ${channel} was ended by the gateway`));
  }

  async #await(question: Promise<unknown>): Promise<void> {
    try {
      await question;
      if (question !== this.#last) return;
      this.#backoff.reset();
      this.#parts.onGranted?.();
    } catch (error) {
      if (question === this.#last) this.#refuse(error as ClientError);
    }
  }

  #refuse(error: ClientError): void {
    // Also when the link has ended: without one nothing is asked, and the next one asks at once.
    if (isPassing(error)) this.#backoff.later(() => this.ask());
    else this.#parts.onRefused(error);
  }
}
