import { Problem } from "../server/problem.ts";
import type { Access } from "./access.ts";
import { ExposureFinder, type Exposures } from "./exposure-finder.ts";
import type { Right, Visitor } from "./token.ts";

interface Exposed {
  /** Who may read. */
  readonly access: "public" | "token";
}

interface Terms<Exposure> {
  readonly kind: "channel" | "stream";
  readonly read: Right;
  readonly write: Right;
  readonly unknown: "UNKNOWN_CHANNEL" | "UNKNOWN_STREAM";
  nameOf(exposure: Exposure): string;
  writersOf(exposure: Exposure): "public" | "token" | "nobody" | undefined;
  /** What somebody is told who may write where nobody does. */
  closed(name: string): string;
}

/**
 * Finds channels, or streams, for those who may use them. Others learn nothing: one that is not there is refused as a private one is, and only a
 * token that lists its name is told with 404 that there is none.
 */
export class ExposureAccess<Exposure extends Exposed> {
  readonly #access: Access;
  readonly #exposures: ExposureFinder<Exposure>;
  readonly #terms: Terms<Exposure>;

  constructor(access: Access, exposures: Exposures<Exposure>, terms: Terms<Exposure>) {
    this.#access = access;
    this.#exposures = new ExposureFinder(exposures, terms);
    this.#terms = terms;
  }

  async toRead(visitor: Visitor, name: string): Promise<Exposure> {
    const exposure = await this.#exposures.find(name);
    if (exposure?.access !== "public") this.#access.require(visitor, this.#terms.read, name);
    return exposure ?? this.#refuseUnknown(name);
  }

  async toWrite(visitor: Visitor, name: string): Promise<Exposure> {
    const exposure = await this.#exposures.find(name);
    const writers = (exposure && this.#terms.writersOf(exposure)) ?? "token";
    const isOpen = writers === "public" || (writers === "nobody" && exposure?.access === "public");
    if (!isOpen) this.#access.require(visitor, this.#terms.write, name);
    if (writers !== "nobody") return exposure ?? this.#refuseUnknown(name);
    throw new Problem({ title: this.#terms.closed(name), status: 403, code: "FORBIDDEN" });
  }

  #refuseUnknown(name: string): never {
    const { kind, unknown } = this.#terms;
    throw new Problem({ title: `There is no ${kind} ${name}`, status: 404, code: unknown });
  }
}
