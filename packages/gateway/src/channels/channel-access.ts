import type { Access } from "../access/access.ts";
import type { Visitor } from "../access/token.ts";
import { Problem } from "../server/problem.ts";
import type { ChannelDoor } from "./doors.ts";

/** Throws a 401 or 403 problem for a visitor who may not read this channel. */
export function requireReading(access: Access, visitor: Visitor, { channel, access: readers }: ChannelDoor): void {
  if (readers !== "public") access.require(visitor, "subscribe", channel.name);
}

/** Throws a 401 or 403 problem for a visitor who may not see who is on this channel, and not enter it. */
export function requirePresence(access: Access, visitor: Visitor, door: ChannelDoor): void {
  requireReading(access, visitor, door);
  if (!door.presence) throw new Problem({ title: `${door.channel.name} keeps no presence`, status: 403, code: "FORBIDDEN" });
}

/** Throws a 401 or 403 problem for a visitor who may not publish on this channel. */
export function requirePublishing(access: Access, visitor: Visitor, { channel, publish = "token" }: ChannelDoor): void {
  if (publish === "nobody") {
    throw new Problem({ title: `Nobody publishes on ${channel.name} from outside`, status: 403, code: "FORBIDDEN" });
  }
  if (publish === "token") access.require(visitor, "publish", channel.name);
}
