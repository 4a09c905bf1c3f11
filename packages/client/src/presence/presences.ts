import type { PresenceFrame, Withdrawn } from "../connection/frames.ts";
import type { ResumableParts } from "../connection/resumable.ts";
import { Entrance } from "./entrance.ts";
import { MemberList } from "./member-list.ts";

interface ChannelPresence {
  readonly entrance: Entrance;
  readonly memberList: MemberList;
}

/** The presence of every channel that was asked for, by its name. */
export class Presences {
  readonly #parts: ResumableParts;
  readonly #channels = new Map<string, ChannelPresence>();

  constructor(parts: ResumableParts) {
    this.#parts = parts;
  }

  of(channel: string): ChannelPresence {
    let presence = this.#channels.get(channel);
    if (!presence) {
      const parts = { ...this.#parts, channel };
      presence = { entrance: new Entrance(parts), memberList: new MemberList(parts) };
      this.#channels.set(channel, presence);
      parts.resumables.add(presence.entrance).add(presence.memberList);
    }
    return presence;
  }

  take(frame: PresenceFrame | Withdrawn): void {
    const presence = this.#channels.get(frame.channel);
    if (frame.type !== "withdrawn") presence?.memberList.take(frame);
    else presence?.[frame.what === "watch" ? "memberList" : "entrance"].standing.withdraw(frame);
  }
}
