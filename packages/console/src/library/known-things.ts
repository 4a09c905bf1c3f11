import type { Given } from "../console-options.ts";
import { Refusal } from "../http/refusal.ts";
import { Patience, type Outages } from "./patience.ts";

const freshMs = 1_500;
const briefMs = 500;
const mostHeld = 5_000;

interface Named {
  readonly name: string;
}

type Entry<Thing, Traits> = Named & Traits & { open(): Thing };

export type Known<Thing, Traits> = Named & Traits & { readonly thing: Thing };

interface KnownThingsSetup<Thing, Traits> {
  readonly kind: "queue" | "stream" | "channel";
  readonly given: Given<Thing>;
  list(): Promise<readonly Entry<Thing, Traits>[]>;
  /** Whether the list has all that there is: no store is away. */
  isWhole(): Promise<boolean>;
  readonly outages: Outages;
  /** Of one that was given and that the directory does not know. */
  traitsOf(thing: Thing): Traits;
}

/** The queues, the streams or the channels that there are. While the directory cannot be read, those that it had before. */
export class KnownThings<Thing extends Named, Traits extends object> {
  readonly #setup: KnownThingsSetup<Thing, Traits>;
  readonly #given: ReadonlyMap<string, Thing>;
  readonly #held = new Map<string, Thing>();
  #entries: readonly Entry<Thing, Traits>[] = [];
  #readAt = -Infinity;
  #isRead = false;
  #reading: Promise<void> | undefined;

  constructor(setup: KnownThingsSetup<Thing, Traits>) {
    this.#setup = setup;
    this.#given = new Map(typeof setup.given === "function" ? [] : setup.given.map((thing) => [thing.name, thing]));
  }

  /** By name. */
  async list(): Promise<Known<Thing, Traits>[]> {
    const refreshed = this.#refresh();
    // What was there a moment ago does, where a store is away.
    const { outages } = this.#setup;
    if (this.#isRead) await new Patience(outages, briefMs).for(() => refreshed, "valkey");
    else await refreshed;
    const names = new Set([...this.#entries.map(({ name }) => name), ...this.#given.keys()]);
    const all = await Promise.all([...names].map((name) => this.#know(name)));
    return all.filter((known) => known !== undefined).toSorted((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** Throws a refusal where there is none of that name. */
  async find(name: string): Promise<Known<Thing, Traits>> {
    const refreshed = this.#refresh();
    const before = this.#isRead ? await this.#know(name) : undefined;
    if (before) return before;
    await refreshed;
    const known = await this.#know(name);
    if (known) return known;
    const { kind } = this.#setup;
    const detail = `The console finds what was used in the last 30 days, and what it was given`;
    throw new Refusal({ status: 404, code: `UNKNOWN_${kind.toUpperCase()}`, title: `There is no ${kind} of that name`, detail });
  }

  async #know(name: string): Promise<Known<Thing, Traits> | undefined> {
    const entry = this.#entries.find((one) => one.name === name);
    const { given, traitsOf } = this.#setup;
    const own = typeof given === "function" ? await given(name) : this.#given.get(name);
    const thing = own ?? (entry && this.#open(entry));
    if (!thing) return undefined;
    const { open: _open, ...traits } = entry ?? { ...traitsOf(thing), open: undefined };
    return { ...traits, name, thing } as Known<Thing, Traits>;
  }

  /** One handle for each name: what it has found out of its queue is not found out again with every request. */
  #open(entry: Entry<Thing, Traits>): Thing | undefined {
    const key = JSON.stringify({ ...entry, lastSeenAt: undefined });
    const held = this.#held.get(key);
    if (held) return held;
    try {
      const thing = entry.open();
      if (this.#held.size >= mostHeld) this.#held.clear();
      this.#held.set(key, thing);
      return thing;
    } catch {
      // It has a name that nobody may give.
      return undefined;
    }
  }

  #refresh(): Promise<void> {
    if (performance.now() - this.#readAt < freshMs) return Promise.resolve();
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #read(): Promise<void> {
    const entries = await new Patience(this.#setup.outages).for(() => this.#setup.list());
    this.#readAt = performance.now();
    if (!entries) return;
    this.#isRead = true;
    if (await this.#setup.isWhole()) {
      this.#entries = entries;
      return;
    }
    // What only the store knows that is away is still there.
    const named = new Set(entries.map(({ name }) => name));
    this.#entries = [...entries, ...this.#entries.filter(({ name }) => !named.has(name))];
  }
}
