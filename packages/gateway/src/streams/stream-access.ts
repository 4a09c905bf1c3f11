import type { Access } from "../access/access.ts";
import type { Visitor } from "../access/token.ts";
import { Problem } from "../server/problem.ts";
import type { StreamDoor } from "./doors.ts";

/** Throws a 401 or 403 problem for a visitor who may not read this stream. */
export function requireFollowing(access: Access, visitor: Visitor, { stream, access: readers }: StreamDoor): void {
  if (readers !== "public") access.require(visitor, "read", stream.name);
}

/** Throws a 401 or 403 problem for a visitor who may not append to this stream. */
export function requireAppending(access: Access, visitor: Visitor, { stream, append = "token" }: StreamDoor): void {
  if (append === "nobody") {
    throw new Problem({ title: `Nobody appends to ${stream.name} from outside`, status: 403, code: "FORBIDDEN" });
  }
  if (append === "token") access.require(visitor, "append", stream.name);
}
