import type { AnyChannel, AnyQueue, AnyStream, ConsoleOptions } from "../console-options.ts";
import { KnownThings } from "./known-things.ts";

export interface QueueTraits {
  readonly transactional: boolean;
}
export interface StreamTraits {
  readonly transactional: boolean;
  readonly hasKeys: boolean;
}
export interface ChannelTraits {
  readonly hasHistory: boolean;
}

/** Everything that there is behind the prefix, by name: as the application gave it, else as the directory opens it. */
export class Shapes {
  readonly queues: KnownThings<AnyQueue, QueueTraits>;
  readonly streams: KnownThings<AnyStream, StreamTraits>;
  readonly channels: KnownThings<AnyChannel, ChannelTraits>;

  constructor({ keyline, queues, streams, channels }: ConsoleOptions) {
    const { directory } = keyline;
    this.queues = new KnownThings<AnyQueue, QueueTraits>({
      kind: "queue",
      given: queues ?? [],
      list: () => directory.queues(),
      traitsOf: () => ({ transactional: false }),
    });
    this.streams = new KnownThings<AnyStream, StreamTraits>({
      kind: "stream",
      given: streams ?? [],
      list: () => directory.streams(),
      traitsOf: () => ({ transactional: false, hasKeys: false }),
    });
    this.channels = new KnownThings<AnyChannel, ChannelTraits>({
      kind: "channel",
      given: channels ?? [],
      list: () => directory.channels(),
      traitsOf: ({ hasHistory }) => ({ hasHistory }),
    });
  }
}
