import { createHash, randomBytes } from "node:crypto";
import type { Keyline } from "keyline";
import { z } from "zod";
import { Problem } from "../server/problem.ts";
import type { Token } from "./token.ts";

const lifeMs = 30_000;

const names = z.array(z.string()).readonly();
const storedToken = z.object({
  subject: z.string(),
  id: z.string().optional(),
  issuedAt: z.number().optional(),
  expiresAt: z.number(),
  subscribe: names,
  publish: names,
  // Those of a gateway from before streams have neither.
  read: names.default([]),
  append: names.default([]),
  queues: names,
});

export interface Ticket {
  readonly ticket: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/**
 * Stand-ins for tokens where no header can be set: a browser's EventSource and WebSocket take an address only, and addresses end up in
 * logs. A ticket opens one connection, once, within thirty seconds, with the rights of the token it was given for.
 */
export class Tickets {
  readonly #keyline: Keyline;

  constructor(keyline: Keyline) {
    this.#keyline = keyline;
  }

  async issue(token: Token): Promise<Ticket> {
    const ticket = randomBytes(32).toString("base64url");
    const life = Math.floor(Math.min(lifeMs, token.expiresAt - Date.now()));
    await this.#keyline.command("SET", this.#key(ticket), JSON.stringify(token), "PX", Math.max(1, life));
    return { ticket, expiresAt: Date.now() + life };
  }

  /** The token it was given for; a second time, and afterwards, a 401 problem. */
  async redeem(ticket: string): Promise<Token> {
    const stored = await this.#keyline.command("GETDEL", this.#key(ticket));
    if (typeof stored !== "string") {
      throw new Problem({ title: "The ticket is not valid, or was used before", status: 401, code: "TICKET_INVALID" });
    }
    const { id, issuedAt, ...token } = storedToken.parse(JSON.parse(stored));
    return { ...token, id, issuedAt };
  }

  // Hashed: who can read Valkey's keys shall not be able to use them.
  #key(ticket: string): string {
    return `${this.#keyline.prefix}:gateway:ticket:${createHash("sha256").update(ticket).digest("base64url")}`;
  }
}
