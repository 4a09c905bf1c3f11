import { checkName } from "./names.ts";

const reservedPrefix = "keyline:";

/** All doors, or a function that finds one by its name. */
export type Doors<Door> = readonly Door[] | ((name: string) => Door | undefined | Promise<Door | undefined>);

interface DoorKind<Door> {
  readonly kind: "channel" | "stream";
  nameOf(door: Door): string;
}

/** Finds the channels, or the streams, that the gateway was told of. There are no others. */
export class DoorFinder<Door> {
  readonly #kind: "channel" | "stream";
  readonly #find: (name: string) => Door | undefined | Promise<Door | undefined>;

  constructor(doors: Doors<Door>, { kind, nameOf }: DoorKind<Door>) {
    this.#kind = kind;
    if (typeof doors === "function") {
      this.#find = doors;
      return;
    }
    const byName = new Map(doors.map((door) => [nameOf(door), door]));
    this.#find = (name) => byName.get(name);
  }

  /** Undefined for a name that nobody declared. Throws a 400 problem for what can be no name. */
  async find(name: string): Promise<Door | undefined> {
    checkName(this.#kind, name);
    // The gateway's own are nobody else's, whatever the application's function finds and a token's pattern covers.
    return name.startsWith(reservedPrefix) ? undefined : await this.#find(name);
  }
}
