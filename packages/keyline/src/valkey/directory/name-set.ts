import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";

const note = scriptsBeside(import.meta.url)(1, "note-names");

/** A name that nobody has used for so long is dropped. */
const keptMs = 30 * 86_400_000;
/** So many names does one command note or read, so that the server answers others in between. */
const page = 500;

/** Traits: PostgreSQL has its record; its entries have keys. */
export const transactionalTrait = "transactional";
export const keysTrait = "keys";

/** A channel keeps a history, of that size and for so long: whoever opens it must keep the same. */
export function historyTrait({ size, ttlMs }: { readonly size: number; readonly ttlMs: number }): string {
  return `history=${size}/${ttlMs}`;
}

/** The history that such a trait tells of. */
export function historyOf(traits: readonly string[]): { readonly size: number; readonly ttlMs: number } | undefined {
  const [, size, ttlMs] = traits.map((trait) => /^history=(\d+)\/(\d+)$/.exec(trait)).find((found) => found !== null) ?? [];
  return size === undefined ? undefined : { size: Number(size), ttlMs: Number(ttlMs) };
}

/** A name in use, and what is to be known of it before it is opened: words that name-set.ts keeps as they are, without spaces and commas. */
export interface NamedThing {
  readonly name: string;
  readonly traits: readonly string[];
}

export interface SeenName extends NamedThing {
  /** In the server's milliseconds. */
  readonly lastSeenAt: number;
}

/**
 * The names of one kind that are in use: a sorted set by when each was seen last. A member is the traits, a space, and the name. It has a slot of its own on a
 * cluster, as it belongs to no queue.
 */
export class NameSet {
  readonly connection: ValkeyConnection;
  readonly #key: string;

  constructor(
    connection: ValkeyConnection,
    { prefix, kind }: { readonly prefix: string; readonly kind: "queues" | "streams" | "channels" },
  ) {
    this.connection = connection;
    this.#key = `${prefix}:directory:${kind}`;
  }

  /** They are seen now. */
  async note(things: readonly NamedThing[]): Promise<void> {
    for (let first = 0; first < things.length; first += page) {
      const members = things.slice(first, first + page).map(({ name, traits }) => `${traits.join(",")} ${name}`);
      await note.run(this.connection, [this.#key, keptMs, ...members]);
    }
  }

  /** All that were seen, in no order; one of which several things were said comes several times. */
  async read(): Promise<SeenName[]> {
    const found = new Map<string, number>();
    let cursor = "0";
    do {
      // One that is noted meanwhile keeps its place in a scan, which it would not in an order by time.
      const [next, members] = await this.connection.client.zscan(this.#key, cursor, "COUNT", page);
      for (let index = 0; index < members.length; index += 2) found.set(members[index] ?? "", Number(members[index + 1]));
      cursor = next;
    } while (cursor !== "0");
    return [...found].flatMap(([member, lastSeenAt]) => {
      const [traits, name] = member.split(" ");
      return name === undefined ? [] : [{ name, traits: traits === "" ? [] : (traits ?? "").split(","), lastSeenAt }];
    });
  }
}
