import type { AnyChannel, AnyQueue, AnyStream, ConsoleOptions, Given } from "../console-options.ts";
import type { HealthWatch } from "../operations/health-watch.ts";
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

  // What was given is of the library's own classes, whatever its data is: what operators send is checked by its schema.
  constructor({ keyline, queues, streams, channels }: ConsoleOptions, health: Pick<HealthWatch, "stores" | "isAway">) {
    const { directory } = keyline;
    const isWhole = async (): Promise<boolean> => {
      const stores = await health.stores().catch(() => undefined);
      return stores !== undefined && stores.valkey !== "away" && stores.postgres !== "away";
    };
    this.queues = new KnownThings<AnyQueue, QueueTraits>({
      kind: "queue",
      given: (queues ?? []) as Given<AnyQueue>,
      list: () => directory.queues(),
      isWhole,
      outages: health,
      traitsOf: () => ({ transactional: false }),
    });
    this.streams = new KnownThings<AnyStream, StreamTraits>({
      kind: "stream",
      given: (streams ?? []) as Given<AnyStream>,
      list: () => directory.streams(),
      isWhole,
      outages: health,
      traitsOf: () => ({ transactional: false, hasKeys: false }),
    });
    this.channels = new KnownThings<AnyChannel, ChannelTraits>({
      kind: "channel",
      given: (channels ?? []) as Given<AnyChannel>,
      list: () => directory.channels(),
      isWhole,
      outages: health,
      traitsOf: ({ hasHistory }) => ({ hasHistory }),
    });
  }
}
