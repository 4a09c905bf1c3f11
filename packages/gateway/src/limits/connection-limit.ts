import { Problem } from "../server/problem.ts";

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

  /** Throws a 429 problem for a visitor with too many, and 503 when the gateway is full. What was entered must leave. */
  enter(visitor: string): void {
    if (this.#total >= this.#most) {
      throw new Problem({ title: "The gateway has no room for another connection", status: 503, code: "GATEWAY_FULL" }, 5);
    }
    const count = this.#counts.get(visitor) ?? 0;
    if (count >= this.#mostPerVisitor) {
      throw new Problem({ title: "Too many connections are open", status: 429, code: "TOO_MANY_CONNECTIONS" }, 5);
    }
    this.#counts.set(visitor, count + 1);
    this.#total++;
  }

  leave(visitor: string): void {
    const count = this.#counts.get(visitor) ?? 0;
    if (count === 0) return;
    this.#total--;
    if (count === 1) this.#counts.delete(visitor);
    else this.#counts.set(visitor, count - 1);
  }
}
