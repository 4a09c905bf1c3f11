import type { ClientError } from "../client-error.ts";
import type { PresenceFrame } from "../connection/frames.ts";
import { Entrance, type PresenceParts } from "./entrance.ts";
import { Roll } from "./roll.ts";

interface ChannelPresence {
  readonly entrance: Entrance;
  readonly roll: Roll;
}

/** The presence of every channel that was asked for, by its name. */
export class Presences {
  readonly #parts: Omit<PresenceParts, "channel">;
  readonly #channels = new Map<string, ChannelPresence>();

  constructor(parts: Omit<PresenceParts, "channel">) {
    this.#parts = parts;
  }

  of(channel: string): ChannelPresence {
    let presence = this.#channels.get(channel);
    if (!presence) {
      const parts = { ...this.#parts, channel };
      presence = { entrance: new Entrance(parts), roll: new Roll(parts) };
      this.#channels.set(channel, presence);
    }
    return presence;
  }

  /** To be called on every new connection. */
  askAll(): void {
    for (const { entrance, roll } of this.#channels.values()) {
      entrance.ask();
      roll.ask();
    }
  }

  take(frame: PresenceFrame): void {
    this.#channels.get(frame.channel)?.roll.take(frame);
  }

  endAll(error: ClientError): void {
    for (const { entrance, roll } of this.#channels.values()) {
      entrance.end(error);
      roll.end(error);
    }
  }
}
