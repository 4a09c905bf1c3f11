import { setTimeout as delay } from "node:timers/promises";
import type { Keyline } from "keyline";
import type { Addresses } from "./addresses.ts";
import { refused } from "./refused.ts";

const reachWithinMs = 3_000;

/** The connection to the stores, made when a command first needs it: help and completion scripts need none. */
export class Session {
  readonly addresses: Addresses;
  #keyline: Promise<Keyline> | undefined;

  constructor(addresses: Addresses) {
    this.addresses = addresses;
  }

  get hasPostgres(): boolean {
    return this.addresses.postgresName !== undefined;
  }

  keyline(): Promise<Keyline> {
    this.#keyline ??= this.open();
    return this.#keyline;
  }

  /** The same once both stores have answered, or are not waited for any more: a process that has just begun may take longer to connect than a store may take to answer. */
  async reached(): Promise<Keyline> {
    const keyline = await this.keyline();
    const over = new AbortController();
    const { signal } = over;
    // The client waits for one that is being restarted; whoever asks how things are need not.
    const valkey = Promise.race([keyline.command("PING"), refused(this.addresses.valkeyNodes, signal)]);
    const answers = Promise.allSettled([valkey, this.hasPostgres && keyline.transaction(() => Promise.resolve())]);
    await Promise.race([answers, delay(reachWithinMs, undefined, { signal })]);
    over.abort();
    return keyline;
  }

  /** One more, with a prefix of its own. Whoever asks for it closes it. */
  async open(prefix?: string): Promise<Keyline> {
    const { Keyline } = await import("keyline");
    return new Keyline({ ...this.addresses.options, ...(prefix !== undefined && { prefix }) });
  }

  async close(): Promise<void> {
    await (await this.#keyline)?.close();
  }
}
