import type { Access } from "../access/access.ts";
import { ExposureFinder } from "../access/exposure-finder.ts";
import type { Visitor } from "../access/token.ts";
import { Problem } from "../server/problem.ts";
import type { ChannelExposure, ChannelExposures } from "./exposures.ts";

/**
 * Finds channels for those who may use them. Others learn nothing: a channel that is not there is refused as a private one is, and only a token
 * that lists its name is told with 404 that there is none.
 */
export class ChannelAccess {
  readonly #access: Access;
  readonly #exposures: ExposureFinder<ChannelExposure>;

  constructor(access: Access, exposures: ChannelExposures) {
    this.#access = access;
    this.#exposures = new ExposureFinder(exposures, { kind: "channel", nameOf: ({ channel }) => channel.name });
  }

  /** The channel, to read it. */
  async toRead(visitor: Visitor, name: string): Promise<ChannelExposure> {
    const exposure = await this.#exposures.find(name);
    if (exposure?.access !== "public") this.#access.require(visitor, "subscribe", name);
    return exposure ?? noChannel(name);
  }

  /** The channel, to see who is on it, and to enter it. */
  async toAttend(visitor: Visitor, name: string): Promise<ChannelExposure> {
    const exposure = await this.toRead(visitor, name);
    if (exposure.presence) return exposure;
    throw new Problem({ title: `${name} keeps no presence`, status: 403, code: "FORBIDDEN" });
  }

  /** The channel, to publish on it. */
  async toPublish(visitor: Visitor, name: string): Promise<ChannelExposure> {
    const exposure = await this.#exposures.find(name);
    const { access, publish = "token" } = exposure ?? {};
    const isOpen = publish === "public" || (publish === "nobody" && access === "public");
    if (!isOpen) this.#access.require(visitor, "publish", name);
    if (publish !== "nobody") return exposure ?? noChannel(name);
    throw new Problem({ title: `Nobody publishes on ${name} from outside`, status: 403, code: "FORBIDDEN" });
  }
}

function noChannel(name: string): never {
  throw new Problem({ title: `There is no channel ${name}`, status: 404, code: "UNKNOWN_CHANNEL" });
}
