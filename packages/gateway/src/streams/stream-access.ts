import type { Access } from "../access/access.ts";
import { ExposureAccess } from "../access/exposure-access.ts";
import type { Visitor } from "../access/token.ts";
import type { StreamExposure, StreamExposures } from "./exposures.ts";

/** Finds streams for those who may use them. */
export class StreamAccess {
  readonly #exposures: ExposureAccess<StreamExposure>;

  constructor(access: Access, exposures: StreamExposures) {
    this.#exposures = new ExposureAccess(access, exposures, {
      kind: "stream",
      read: "read",
      write: "append",
      unknown: "UNKNOWN_STREAM",
      nameOf: ({ stream }) => stream.name,
      writersOf: ({ append }) => append,
      closed: (name) => `Nobody appends to ${name} from outside`,
    });
  }

  /** The stream, to read and to follow it. */
  toRead(visitor: Visitor, name: string): Promise<StreamExposure> {
    return this.#exposures.toRead(visitor, name);
  }

  /** The stream, to append to it. */
  toAppend(visitor: Visitor, name: string): Promise<StreamExposure> {
    return this.#exposures.toWrite(visitor, name);
  }
}
