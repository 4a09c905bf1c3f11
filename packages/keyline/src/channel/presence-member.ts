import { parseJson } from "../runtime/json.ts";
import type { PresentMember } from "../valkey/channel/presence-set.ts";

/** Somebody who is here. */
export interface Member {
  readonly member: string;
  /** What it said of itself when it entered. */
  readonly info: unknown;
  /** Since when it is here, in milliseconds since 1970. */
  readonly since: number;
}

/** Somebody came or went. */
export interface PresenceChange extends Member {
  readonly kind: "joined" | "left";
}

export type PresenceListener = (change: PresenceChange) => void;

/** Tells who joins and who leaves, until it is closed. */
export interface PresenceWatch {
  /** Everybody who is here. */
  readonly members: ReadonlyMap<string, Member>;
  close(): void;
}

export function toMember({ member, since, infoJson }: PresentMember): Member {
  return { member, since, info: parseJson(infoJson) };
}
