import { ClientError, isPassing } from "../client-error.ts";
import type { Link, Payload } from "../connection/link.ts";
import type { Environment } from "../runtime/environment.ts";
import { toJson } from "../runtime/json.ts";
import { Retry } from "../runtime/retry.ts";

export interface PresenceParts {
  readonly channel: string;
  readonly environment: Environment;
  link(): Link | undefined;
  onError(error: ClientError): void;
}

/** Keeps this client present on one channel from `enter` to `leave`. */
export class Entrance {
  readonly #parts: PresenceParts;
  readonly #retry: Retry;
  /** With what to be present; undefined when not to be. */
  #info: Payload | undefined;
  /** Those who wait for the first confirmation. */
  #confirmation: PromiseWithResolvers<void> | undefined;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
    this.#retry = new Retry(parts.environment);
  }

  enter(info: unknown): Promise<void> {
    this.#info = { key: "info", json: toJson(`presence on ${this.#parts.channel}`, info) };
    this.#confirmation ??= Promise.withResolvers();
    const { promise } = this.#confirmation;
    this.ask();
    return promise;
  }

  async leave(): Promise<void> {
    this.end(new ClientError("CLOSED", `The presence on ${this.#parts.channel} was left before it was confirmed`));
    try {
      await this.#parts.link()?.request({ type: "leave", channel: this.#parts.channel });
    } catch (error) {
      // A connection that has ended has taken the presence with it.
      if (!isLinkEnd(error)) throw error;
    }
  }

  /** To be called on every new connection. */
  ask(): void {
    const link = this.#parts.link();
    if (this.#info && link) void this.#askOver(link, this.#info);
  }

  end(error: ClientError): void {
    this.#info = undefined;
    this.#retry.cancel();
    this.#confirmation?.reject(error);
    this.#confirmation = undefined;
  }

  async #askOver(link: Link, info: Payload): Promise<void> {
    this.#retry.cancel();
    try {
      await link.request({ type: "enter", channel: this.#parts.channel }, info);
      if (this.#info !== info) return;
      this.#retry.succeeded();
      this.#confirmation?.resolve();
      this.#confirmation = undefined;
    } catch (error) {
      // The next connection asks again.
      if (this.#info !== info || isLinkEnd(error)) return;
      this.#fail(error as ClientError);
    }
  }

  #fail(error: ClientError): void {
    if (isPassing(error)) return this.#retry.schedule(() => this.ask());
    if (!this.#confirmation) this.#parts.onError(error);
    this.end(error);
  }
}

/** Whether a question got no answer because its link has ended. */
export function isLinkEnd(error: unknown): boolean {
  return error instanceof ClientError && (error.code === "OUTCOME_UNKNOWN" || error.code === "OFFLINE");
}
