import type { Access } from "../access/access.ts";
import { ExposureAccess } from "../access/exposure-access.ts";
import type { Visitor } from "../access/token.ts";
import { Problem } from "../server/problem.ts";
import type { ChannelExposure, ChannelExposures } from "./exposures.ts";

/** Finds channels for those who may use them. */
export class ChannelAccess {
  readonly #exposures: ExposureAccess<ChannelExposure>;

  constructor(access: Access, exposures: ChannelExposures) {
    this.#exposures = new ExposureAccess(access, exposures, {
      kind: "channel",
      read: "subscribe",
      write: "publish",
      unknown: "UNKNOWN_CHANNEL",
      nameOf: ({ channel }) => channel.name,
      writersOf: ({ publish }) => publish,
      closed: (name) => `Nobody publishes on ${name} from outside`,
    });
  }

  /** The channel, to read it. */
  toRead(visitor: Visitor, name: string): Promise<ChannelExposure> {
    return this.#exposures.toRead(visitor, name);
  }

  /** The channel, to see who is on it, and to enter it. */
  async toAttend(visitor: Visitor, name: string): Promise<ChannelExposure> {
    const exposure = await this.toRead(visitor, name);
    if (exposure.presence) return exposure;
    throw new Problem({ title: `${name} keeps no presence`, status: 403, code: "FORBIDDEN" });
  }

  /** The channel, to publish on it. */
  toPublish(visitor: Visitor, name: string): Promise<ChannelExposure> {
    return this.#exposures.toWrite(visitor, name);
  }
}
