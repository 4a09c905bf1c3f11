import { connect, type Live } from "@keyline/client";
import { registerReader } from "./api.ts";
import { Attendance } from "../../site/page/attendance.ts";
import { recall, remember } from "./memory.ts";

/** What lasts as long as the page is open. */
export interface Visit {
  readonly live: Live;
  readonly attendance: Attendance;
  readonly readerId: string;
}

export function openVisit(): Visit {
  const readerId = recall("readerId") ?? newId();
  remember("readerId", readerId);
  const attendance = new Attendance();
  const live = connect("/", {
    token: async () => {
      const { token, at } = await registerReader(readerId);
      // It is also asked for while the connection goes on.
      if (live.state !== "online") attendance.prepare(at);
      return token;
    },
  });
  live.on("state", (state) => state === "online" && attendance.begin());
  return { live, attendance, readerId };
}

/** A random UUID: `crypto.randomUUID` is not there on a page that came over HTTP from another machine. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const variant = "89ab"[(bytes[8] ?? 0) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}
