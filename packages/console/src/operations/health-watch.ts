import type { Health as KeylineHealth, Keyline } from "keyline";
import type { Health, Stores } from "../api/health.ts";
import type { Outages, Store } from "../library/patience.ts";
import { toHealth } from "./health-view.ts";

const freshMs = 1_000;
/** A store that is away takes long to be seen so: meanwhile what was seen a moment ago is an answer. */
const briefMs = 300;
const oldMs = 10_000;

interface Seen {
  readonly health: KeylineHealth;
  readonly at: number;
}

/** The state of both stores, asked for once a second however many want to know. */
export class HealthWatch implements Outages {
  readonly #keyline: Pick<Keyline, "health">;
  #askedAt = -Infinity;
  #asking: Promise<KeylineHealth> | undefined;
  #seen: Seen | undefined;

  constructor(keyline: Pick<Keyline, "health">) {
    this.#keyline = keyline;
  }

  async read(): Promise<Health> {
    const asking = this.#look();
    const seen = this.#recent;
    if (!asking && seen) return toHealth(seen.health);
    return toHealth(await (asking && seen ? sooner(asking, seen.health) : (asking ?? this.#ask())));
  }

  async stores(): Promise<Stores> {
    const { valkey, postgres } = await this.read();
    return { valkey: valkey.state, postgres: postgres.state };
  }

  /** What was seen last; looked at anew meanwhile. */
  isAway(store: Store): boolean {
    this.#look()?.catch(() => undefined);
    return this.#recent?.health[store].state === "away";
  }

  get #recent(): Seen | undefined {
    return this.#seen && performance.now() - this.#seen.at < oldMs ? this.#seen : undefined;
  }

  /** Undefined where that was done a moment ago. */
  #look(): Promise<KeylineHealth> | undefined {
    if (this.#asking) return this.#asking;
    return performance.now() - this.#askedAt > freshMs ? this.#ask() : undefined;
  }

  #ask(): Promise<KeylineHealth> {
    this.#askedAt = performance.now();
    this.#asking = this.#read().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #read(): Promise<KeylineHealth> {
    const health = await this.#keyline.health();
    this.#seen = { health, at: performance.now() };
    return health;
  }
}

async function sooner(asking: Promise<KeylineHealth>, seen: KeylineHealth): Promise<KeylineHealth> {
  // Nobody may wait for it any more when it fails.
  asking.catch(() => undefined);
  const brief = Promise.withResolvers<KeylineHealth>();
  const timer = setTimeout(() => brief.resolve(seen), briefMs);
  try {
    return await Promise.race([asking, brief.promise]);
  } finally {
    clearTimeout(timer);
  }
}
