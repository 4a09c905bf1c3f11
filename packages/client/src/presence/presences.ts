import type { PresenceFrame, Withdrawn } from "../connection/frames.ts";
import type { LastingParts } from "../connection/lasting.ts";
import { Entrance } from "./entrance.ts";
import { Roll } from "./roll.ts";

interface ChannelPresence {
  readonly entrance: Entrance;
  readonly roll: Roll;
}

/** The presence of every channel that was asked for, by its name. */
export class Presences {
  readonly #parts: LastingParts;
  readonly #channels = new Map<string, ChannelPresence>();

  constructor(parts: LastingParts) {
    this.#parts = parts;
  }

  of(channel: string): ChannelPresence {
    let presence = this.#channels.get(channel);
    if (!presence) {
      const parts = { ...this.#parts, channel };
      presence = { entrance: new Entrance(parts), roll: new Roll(parts) };
      this.#channels.set(channel, presence);
      parts.lasting.add(presence.entrance).add(presence.roll);
    }
    return presence;
  }

  take(frame: PresenceFrame | Withdrawn): void {
    const presence = this.#channels.get(frame.channel);
    if (frame.type !== "withdrawn") presence?.roll.take(frame);
    else presence?.[frame.what === "watch" ? "roll" : "entrance"].standing.withdraw(frame);
  }
}
