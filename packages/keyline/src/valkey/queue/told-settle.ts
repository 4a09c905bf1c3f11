import { performance } from "../../runtime/clock.ts";
import type { ValkeyConnection } from "../client/connection.ts";
import { begin, scriptsBeside, type Begun } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";
import { readSettled, type SettleReply } from "./settle-reply.ts";
import type { Tie } from "./tie.ts";

const settle = scriptsBeside(import.meta.url)(5, "settle-told", "take");

/** The stream of ends lives for an hour: workers that tell something see to it that it goes on. */
const prolongEveryMs = 60_000;

interface OneTold {
  readonly begins: string;
  readonly take: number;
  readonly told: NonNullable<Tie["told"]>;
}

/** Settles one job, of which somebody waits for the result: the quickest way to that. What the server would have to look for is remembered here. */
export class ToldSettle {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;
  #worker = "";
  /** The keys that all jobs of that worker have in common. */
  #common: readonly string[] = [];
  #begun: Begun | undefined;
  /** The millisecond in the ids of the stream of ends. */
  #endsFrom = "";
  #prolongedAt = -Infinity;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  async settle(worker: string, { begins, take, told: [id, json, keepMs] }: OneTold): Promise<SettleReply> {
    if (worker !== this.#worker) this.#keepCommon(worker);
    const values = [...this.#common, this.#keys.outcome(id), id, String(take), begins, json, String(keepMs), this.#endsFrom];
    const now = performance.now();
    const isProlonged = now - this.#prolongedAt > prolongEveryMs;
    if (isProlonged) values.push("1");
    const reply = await settle.run(this.#connection, values, this.#begun);
    if (!Array.isArray(reply)) return readSettled(reply, false);
    if (isProlonged) this.#prolongedAt = now;
    const [first, ...taken] = reply as [string | readonly [string], ...string[]];
    if (typeof first !== "object") return readSettled(reply, false);
    [this.#endsFrom] = first;
    return readSettled(taken, false);
  }

  #keepCommon(worker: string): void {
    const { workers, waiting, ends } = this.#keys;
    this.#worker = worker;
    this.#common = [workers, this.#keys.held(worker), waiting, ends];
    this.#begun = begin(this.#common);
  }
}
