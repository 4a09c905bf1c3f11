import { closedEarly, type ClientError } from "../client-error.ts";
import type { Link, Payload } from "../connection/link.ts";
import type { Environment } from "../runtime/environment.ts";
import { toJson } from "../runtime/json.ts";
import { isLinkEnd, Standing } from "./standing.ts";

export interface PresenceParts {
  readonly channel: string;
  readonly environment: Environment;
  link(): Link | undefined;
  onError(error: ClientError): void;
}

/** Keeps this client present on one channel from `enter` to `leave`. */
export class Entrance {
  readonly #parts: PresenceParts;
  readonly #standing: Standing;
  /** With what to be present; undefined when not to be. */
  #info: Payload | undefined;
  /** Those who wait for the first confirmation. */
  #confirmation: PromiseWithResolvers<void> | undefined;

  constructor(parts: PresenceParts) {
    const { channel, environment, link } = parts;
    this.#parts = parts;
    this.#standing = new Standing({
      environment,
      link,
      request: (over) => over.request({ type: "enter", channel }, this.#info),
      onGranted: () => {
        this.#confirmation?.resolve();
        this.#confirmation = undefined;
      },
      onRefused: (error) => {
        if (!this.#confirmation) parts.onError(error);
        this.end(error);
      },
    });
  }

  enter(info: unknown): Promise<void> {
    this.#info = { key: "info", json: toJson(`presence on ${this.#parts.channel}`, info) };
    this.#confirmation ??= Promise.withResolvers();
    const { promise } = this.#confirmation;
    this.ask();
    return promise;
  }

  async leave(): Promise<void> {
    const { channel, link } = this.#parts;
    this.end(closedEarly("presence", channel));
    try {
      await link()?.request({ type: "leave", channel });
    } catch (error) {
      // A connection that has ended has taken the presence with it.
      if (!isLinkEnd(error)) throw error;
    }
  }

  /** To be called on every new connection. */
  ask(): void {
    if (this.#info) this.#standing.ask();
  }

  end(error: ClientError): void {
    this.#info = undefined;
    this.#standing.stop();
    this.#confirmation?.reject(error);
    this.#confirmation = undefined;
  }
}
