import type { ChannelExposures } from "./exposures.ts";

/** Has operators find the channels (`keyline.directory`): those that are given as a list, as nobody knows which ones a function will find. */
export function listChannels(exposures: ChannelExposures): void {
  if (typeof exposures === "function") return;
  // Where Valkey is away it is made up for later.
  for (const { channel } of exposures) channel.list().catch(() => undefined);
}
