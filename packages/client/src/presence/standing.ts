import { ClientError, isPassing } from "../client-error.ts";
import type { Link } from "../connection/link.ts";
import type { Environment } from "../runtime/environment.ts";
import { Retry } from "../runtime/retry.ts";

interface StandingParts {
  readonly environment: Environment;
  link(): Link | undefined;
  request(link: Link): Promise<unknown>;
  onGranted(): void;
  onRefused(error: ClientError): void;
}

/** Something that is asked of the gateway on every connection, and again after what passes, until it is refused for good or stopped. */
export class Standing {
  readonly #parts: StandingParts;
  readonly #retry: Retry;
  /** The question whose answer counts. */
  #last: Promise<unknown> | undefined;

  constructor(parts: StandingParts) {
    this.#parts = parts;
    this.#retry = new Retry(parts.environment);
  }

  /** To be called on every new connection, too. */
  ask(): void {
    this.stop();
    const link = this.#parts.link();
    if (link) void this.#await((this.#last = this.#parts.request(link)));
  }

  stop(): void {
    this.#retry.cancel();
    this.#last = undefined;
  }

  async #await(question: Promise<unknown>): Promise<void> {
    try {
      await question;
      if (question !== this.#last) return;
      this.#retry.succeeded();
      this.#parts.onGranted();
    } catch (error) {
      // The next connection asks again.
      if (question !== this.#last || isLinkEnd(error)) return;
      if (isPassing(error as ClientError)) this.#retry.schedule(() => this.ask());
      else this.#parts.onRefused(error as ClientError);
    }
  }
}

/** Whether a question got no answer because its link has ended. */
export function isLinkEnd(error: unknown): boolean {
  return error instanceof ClientError && (error.code === "OUTCOME_UNKNOWN" || error.code === "OFFLINE");
}
