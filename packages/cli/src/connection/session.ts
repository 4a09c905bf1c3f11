import type { Keyline } from "keyline";
import type { Addresses } from "./addresses.ts";

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

  /** One more, with a prefix of its own. Whoever asks for it closes it. */
  async open(prefix?: string): Promise<Keyline> {
    const { Keyline } = await import("keyline");
    return new Keyline({ ...this.addresses.options, ...(prefix !== undefined && { prefix }) });
  }

  async close(): Promise<void> {
    await (await this.#keyline)?.close();
  }
}
