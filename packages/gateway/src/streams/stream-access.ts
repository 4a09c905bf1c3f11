import type { Access } from "../access/access.ts";
import { ExposureFinder } from "../access/exposure-finder.ts";
import type { Visitor } from "../access/token.ts";
import { Problem } from "../server/problem.ts";
import type { StreamExposure, StreamExposures } from "./exposures.ts";

/** Finds streams for those who may use them. Others learn nothing, as with channels. */
export class StreamAccess {
  readonly #access: Access;
  readonly #exposures: ExposureFinder<StreamExposure>;

  constructor(access: Access, exposures: StreamExposures) {
    this.#access = access;
    this.#exposures = new ExposureFinder(exposures, { kind: "stream", nameOf: ({ stream }) => stream.name });
  }

  /** The stream, to read and to follow it. */
  async toRead(visitor: Visitor, name: string): Promise<StreamExposure> {
    const exposure = await this.#exposures.find(name);
    if (exposure?.access !== "public") this.#access.require(visitor, "read", name);
    return exposure ?? noStream(name);
  }

  /** The stream, to append to it. */
  async toAppend(visitor: Visitor, name: string): Promise<StreamExposure> {
    const exposure = await this.#exposures.find(name);
    const { access, append = "token" } = exposure ?? {};
    const isOpen = append === "public" || (append === "nobody" && access === "public");
    if (!isOpen) this.#access.require(visitor, "append", name);
    if (append !== "nobody") return exposure ?? noStream(name);
    throw new Problem({ title: `Nobody appends to ${name} from outside`, status: 403, code: "FORBIDDEN" });
  }
}

function noStream(name: string): never {
  throw new Problem({ title: `There is no stream ${name}`, status: 404, code: "UNKNOWN_STREAM" });
}
