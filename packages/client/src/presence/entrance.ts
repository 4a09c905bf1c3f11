import { closed, type ClientError } from "../client-error.ts";
import type { Resumable, ResumableParts } from "../connection/resumable.ts";
import type { Payload } from "../connection/link.ts";
import { toJson } from "../runtime/json.ts";
import { StandingRequest } from "./standing-request.ts";

export interface PresenceParts extends ResumableParts {
  readonly channel: string;
}

/** Keeps this client present on one channel from `enter` to `leave`. */
export class Entrance implements Resumable {
  readonly #parts: PresenceParts;
  readonly standing: StandingRequest;
  /** With what to be present; undefined when not to be. */
  #info: Payload | undefined;
  /** Those who wait for the first confirmation. */
  #confirmation: PromiseWithResolvers<void> | undefined;

  constructor(parts: PresenceParts) {
    const { channel, onError } = parts;
    this.#parts = parts;
    this.standing = new StandingRequest({
      ...parts,
      request: (link) => link.request({ type: "enter", channel }, this.#info),
      onGranted: () => {
        this.#confirmation?.resolve();
        this.#confirmation = undefined;
      },
      onRefused: (error) => {
        if (!this.#confirmation) onError(error);
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
    const left = link();
    this.end();
    try {
      await left?.request({ type: "leave", channel });
    } catch (error) {
      // A connection that has ended has taken the presence with it.
      if (!left?.isEnded) throw error;
    }
  }

  ask(): void {
    if (this.#info) this.standing.ask();
  }

  end(error: ClientError = closed(`The presence on ${this.#parts.channel}`)): void {
    this.#info = undefined;
    this.standing.stop();
    this.#confirmation?.reject(error);
    this.#confirmation = undefined;
  }
}
