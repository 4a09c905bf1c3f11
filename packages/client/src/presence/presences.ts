import type { ClientError } from "../client-error.ts";
import type { PresenceFrame } from "../connection/frames.ts";
import { Entrance, type PresenceParts } from "./entrance.ts";
import type { Presence } from "./presence.ts";
import { Roll } from "./roll.ts";

interface ChannelPresence {
  readonly face: Presence;
  readonly entrance: Entrance;
  readonly roll: Roll;
}

interface PresencesParts extends Omit<PresenceParts, "channel"> {
  /** Throws CLOSED when the client is closed. */
  checkOpen(): void;
}

/** The presence of every channel that was asked for, by its name. */
export class Presences {
  readonly #parts: PresencesParts;
  readonly #channels = new Map<string, ChannelPresence>();

  constructor(parts: PresencesParts) {
    this.#parts = parts;
  }

  of(channel: string): Presence {
    let presence = this.#channels.get(channel);
    if (!presence) {
      presence = this.#create(channel);
      this.#channels.set(channel, presence);
    }
    return presence.face;
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

  #create(channel: string): ChannelPresence {
    const parts = { ...this.#parts, channel };
    const entrance = new Entrance(parts);
    const roll = new Roll(parts);
    const face: Presence = {
      enter: async (info = null) => {
        parts.checkOpen();
        await entrance.enter(info);
      },
      leave: () => entrance.leave(),
      watch: (listener) => {
        parts.checkOpen();
        return roll.watch(listener);
      },
    };
    return { face, entrance, roll };
  }
}
