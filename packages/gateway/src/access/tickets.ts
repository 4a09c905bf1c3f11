import { createHash, randomBytes } from "node:crypto";
import type { Keyline } from "keyline";
import { z } from "zod";
import { Problem } from "../server/problem.ts";
import type { Token } from "./token.ts";

const lifeMs = 30_000;
/** How long a browser may be away between two connections of one event stream: a store or a gateway that restarts, a tunnel. */
const absenceMs = 300_000;

const names = z.array(z.string()).readonly();
const storedToken = z.object({
  subject: z.string(),
  id: z.string().optional(),
  issuedAt: z.number().optional(),
  expiresAt: z.number(),
  subscribe: names,
  publish: names,
  // Those of an older gateway have not all of these.
  read: names.default([]),
  append: names.default([]),
  queues: names,
  seeJobs: names.default([]),
  changeJobs: names.default([]),
});
const usedTicket = z.object({ visitor: z.string(), token: storedToken });

export interface Ticket {
  readonly ticket: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/**
 * Stand-ins for tokens where no header can be set: a browser's EventSource and WebSocket take an address only, and addresses end up in
 * logs. A ticket is taken once, within thirty seconds, with the rights of the token it was given for.
 *
 * An EventSource connects again by itself, to the same address, and gives up for good when that is refused. So whoever took a ticket for an event
 * stream may show it again: the same browser at the same address of the network, for the same event stream, while that is open and five minutes
 * after, and never longer than the token. In anybody else's hands it is worth nothing.
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
    const token = await this.#take(ticket);
    if (token) return token;
    throw ticketInvalid();
  }

  /** As `redeem`, and again for the same `visitor`, as long as it is kept. */
  async redeemAgain(ticket: string, visitor: string): Promise<Token> {
    const token = await this.#take(ticket);
    if (token) {
      const text = JSON.stringify({ visitor, token });
      await this.#keyline.command("SET", this.#usedKey(ticket), text, "PX", restOf(token));
      return token;
    }
    const stored = await this.#keyline.command("GET", this.#usedKey(ticket));
    const used = typeof stored === "string" ? usedTicket.parse(JSON.parse(stored)) : undefined;
    if (used?.visitor !== visitor) throw ticketInvalid();
    return toToken(used.token);
  }

  /** Called now and then while the event stream of a ticket is open. */
  async keep(ticket: string, token: Token): Promise<void> {
    await this.#keyline.command("PEXPIRE", this.#usedKey(ticket), restOf(token));
  }

  async #take(ticket: string): Promise<Token | undefined> {
    const stored = await this.#keyline.command("GETDEL", this.#key(ticket));
    return typeof stored === "string" ? toToken(storedToken.parse(JSON.parse(stored))) : undefined;
  }

  // Hashed: whoever can read Valkey's keys must not be able to use them.
  #key(ticket: string): string {
    return `${this.#keyline.prefix}:gateway:ticket:${createHash("sha256").update(ticket).digest("base64url")}`;
  }

  #usedKey(ticket: string): string {
    return `${this.#key(ticket)}:used`;
  }
}

function restOf({ expiresAt }: Token): number {
  return Math.max(1, Math.floor(Math.min(absenceMs, expiresAt - Date.now())));
}

function toToken({ id, issuedAt, ...token }: z.output<typeof storedToken>): Token {
  return { ...token, id, issuedAt };
}

export function ticketInvalid(): Problem {
  return new Problem({
    title: "The ticket is not valid, was used before, or is somebody else's",
    status: 401,
    code: "TICKET_INVALID",
    detail: "Get another one for each connection; an EventSource keeps its own for as long as it reconnects",
  });
}
