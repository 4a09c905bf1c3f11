import type { Health as KeylineHealth, Keyline } from "keyline";
import type { Health, Stores } from "../api/health.ts";
import { toHealth } from "./health-view.ts";

const freshMs = 1_000;

/** The state of both stores, asked for once a second however many want to know. */
export class HealthWatch {
  readonly #keyline: Pick<Keyline, "health">;
  #seenAt = -Infinity;
  #health: Promise<KeylineHealth> | undefined;

  constructor(keyline: Pick<Keyline, "health">) {
    this.#keyline = keyline;
  }

  async read(): Promise<Health> {
    if (!this.#health || performance.now() - this.#seenAt > freshMs) {
      this.#seenAt = performance.now();
      this.#health = this.#keyline.health();
      this.#health.catch(() => (this.#health = undefined));
    }
    return toHealth(await this.#health);
  }

  async stores(): Promise<Stores> {
    const { valkey, postgres } = await this.read();
    return { valkey: valkey.state, postgres: postgres.state };
  }
}
