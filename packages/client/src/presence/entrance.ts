import { closed, type ClientError } from "../client-error.ts";
import type { Lasting, LastingParts } from "../connection/lasting.ts";
import type { Payload } from "../connection/link.ts";
import { toJson } from "../runtime/json.ts";
import { Standing } from "./standing.ts";

export interface PresenceParts extends LastingParts {
  readonly channel: string;
}

/** Keeps this client present on one channel from `enter` to `leave`. */
export class Entrance implements Lasting {
  readonly #parts: PresenceParts;
  readonly standing: Standing;
  /** With what to be present; undefined when not to be. */
  #info: Payload | undefined;
  /** Those who wait for the first confirmation. */
  #confirmation: PromiseWithResolvers<void> | undefined;

  constructor(parts: PresenceParts) {
    const { channel, onError } = parts;
    this.#parts = parts;
    this.standing = new Standing({
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
