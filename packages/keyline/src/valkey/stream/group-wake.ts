import type { StreamKeys } from "./keys.ts";

/**
 * Stream: gets an entry when something is due again at once in some group of the stream, as redriven dead letters are. One for all groups, so that consumers of
 * several groups can share a blocking read.
 */
export function wakeKeyOf(keys: StreamKeys): string {
  return `${keys.groups}:wake`;
}
