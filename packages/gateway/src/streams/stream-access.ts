import type { Access } from "../access/access.ts";
import { DoorFinder } from "../access/door-finder.ts";
import type { Visitor } from "../access/token.ts";
import { Problem } from "../server/problem.ts";
import type { StreamDoor, StreamDoors } from "./doors.ts";

/** Finds streams for those who may. Whoever may not learns nothing, as with channels. */
export class StreamAccess {
  readonly #access: Access;
  readonly #doors: DoorFinder<StreamDoor>;

  constructor(access: Access, doors: StreamDoors) {
    this.#access = access;
    this.#doors = new DoorFinder(doors, { kind: "stream", nameOf: ({ stream }) => stream.name });
  }

  /** The stream, to read and to follow it. */
  async toRead(visitor: Visitor, name: string): Promise<StreamDoor> {
    const door = await this.#doors.find(name);
    if (door?.access !== "public") this.#access.require(visitor, "read", name);
    return door ?? noStream(name);
  }

  /** The stream, to append to it. */
  async toAppend(visitor: Visitor, name: string): Promise<StreamDoor> {
    const door = await this.#doors.find(name);
    const { access, append = "token" } = door ?? {};
    const isOpen = append === "public" || (append === "nobody" && access === "public");
    if (!isOpen) this.#access.require(visitor, "append", name);
    if (append !== "nobody") return door ?? noStream(name);
    throw new Problem({ title: `Nobody appends to ${name} from outside`, status: 403, code: "FORBIDDEN" });
  }
}

function noStream(name: string): never {
  throw new Problem({ title: `There is no stream ${name}`, status: 404, code: "UNKNOWN_STREAM" });
}
