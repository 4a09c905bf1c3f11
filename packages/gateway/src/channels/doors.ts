import type { Channel } from "keyline";
import { checkName } from "../access/names.ts";
import { Problem } from "../server/problem.ts";

const reservedPrefix = "keyline:";

/** A channel, and who may do what through the gateway. */
export interface ChannelDoor {
  readonly channel: Channel<never, unknown>;
  /** Who may read: everybody, or tokens whose `channels.subscribe` lists it. */
  readonly access: "public" | "token";
  /** Who may publish. Default: tokens whose `channels.publish` lists it. */
  readonly publish?: "public" | "token" | "nobody";
  /** Whether readers may see who is there, and enter with their token's `sub`. Default false. */
  readonly presence?: boolean;
}

/** All doors, or a function that finds one: for applications that make channels while they run. Called for each request, but not for names that begin with `keyline:`, which are the gateway's own. */
export type ChannelDoors = readonly ChannelDoor[] | ((name: string) => ChannelDoor | undefined | Promise<ChannelDoor | undefined>);

/** Finds the channels that the gateway was told of. There are no others. */
export class DoorFinder {
  readonly #find: (name: string) => ChannelDoor | undefined | Promise<ChannelDoor | undefined>;

  constructor(doors: ChannelDoors) {
    if (typeof doors === "function") {
      this.#find = doors;
      return;
    }
    const byName = new Map(doors.map((door) => [door.channel.name, door]));
    this.#find = (name) => byName.get(name);
  }

  /** Throws a 400 problem for what can be no name, and 404 for a channel that nobody declared. */
  async find(name: string): Promise<ChannelDoor> {
    checkName("channel", name);
    // The gateway's own are nobody else's, whatever the application's function finds and a token's pattern covers.
    const door = name.startsWith(reservedPrefix) ? undefined : await this.#find(name);
    if (door) return door;
    throw new Problem({ title: `There is no channel ${name}`, status: 404, code: "UNKNOWN_CHANNEL" });
  }
}
