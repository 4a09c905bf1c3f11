import { Problem } from "../server/problem.ts";

/** Where a client stands in each channel of a feed; undefined for one in which it has no place. */
export type Place = readonly (string | undefined)[];

const longest = 20_000;

/** The place as text: the channels' cursors in their order, joined by commas, which no cursor contains. */
export function formatPlace(cursors: Place): string {
  return cursors.length === 1 ? (cursors[0] ?? "") : cursors.map((cursor) => cursor ?? "").join(",");
}

/**
 * The place that a client gave, for a feed of `count` channels. Throws a 400 problem for what is none; whether a cursor is one that Keyline
 * gave out is seen when it is used.
 */
export function parsePlace(text: string | undefined, count: number): Place {
  if (text === undefined || text === "") return Array.from({ length: count }, () => undefined);
  const cursors = text === "earliest" ? Array.from({ length: count }, () => text) : text.split(",");
  if (text.length > longest || cursors.length !== count || !cursors.every((cursor) => /^[A-Za-z0-9.-]{0,200}$/.test(cursor))) {
    throw new Problem({
      title: "This is not a cursor of this feed",
      status: 400,
      code: "INVALID_CURSOR",
      detail: "Give the last id that was received on it, as it was, or earliest",
    });
  }
  return cursors.map((cursor) => (cursor === "" ? undefined : cursor));
}
