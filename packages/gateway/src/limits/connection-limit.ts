import { Problem } from "../server/problem.ts";

/** The place of one connection, from its opening to its end. */
export class Seat {
  readonly #limit: ConnectionLimit;
  #owner: string | undefined;

  constructor(limit: ConnectionLimit, owner: string) {
    this.#limit = limit;
    this.#owner = owner;
  }

  /** Counts the connection for somebody else from now on. Throws a 429 problem when that one has too many, and changes nothing then. */
  moveTo(visitor: string): void {
    if (this.#owner === undefined || this.#owner === visitor) return;
    this.#limit.move(this.#owner, visitor);
    this.#owner = visitor;
  }

  /** Makes room, once. */
  leave(): void {
    if (this.#owner !== undefined) this.#limit.leave(this.#owner);
    this.#owner = undefined;
  }
}

/** How many live connections there are, in all and of each visitor. */
export class ConnectionLimit {
  readonly #most: number;
  readonly #mostPerVisitor: number;
  readonly #counts = new Map<string, number>();
  #total = 0;

  constructor(most: number, mostPerVisitor: number) {
    this.#most = most;
    this.#mostPerVisitor = mostPerVisitor;
  }

  /** Throws a 429 problem for a visitor with too many, and 503 when the gateway is full. */
  enter(visitor: string): Seat {
    if (this.#total >= this.#most) {
      throw new Problem({ title: "The gateway has no room for another connection", status: 503, code: "GATEWAY_FULL" }, 5);
    }
    this.#add(visitor);
    this.#total++;
    return new Seat(this, visitor);
  }

  /** For a seat alone, as `leave` is. */
  move(from: string, to: string): void {
    this.#add(to);
    this.#remove(from);
  }

  leave(visitor: string): void {
    this.#remove(visitor);
    this.#total--;
  }

  #add(visitor: string): void {
    const count = this.#counts.get(visitor) ?? 0;
    if (count >= this.#mostPerVisitor) {
      throw new Problem({ title: "Too many connections are open", status: 429, code: "TOO_MANY_CONNECTIONS" }, 5);
    }
    this.#counts.set(visitor, count + 1);
  }

  #remove(visitor: string): void {
    const count = this.#counts.get(visitor) ?? 0;
    if (count > 1) this.#counts.set(visitor, count - 1);
    else this.#counts.delete(visitor);
  }
}
