/*
 * DESIGN. A reply that got lost must strand nothing. After every failure and every reconnect, once nothing is under way, what is
 * held is read again: whatever is unknown here was taken by a command whose answer got lost, and is begun now. The same happens when
 * renewals of the lease show twice that more is held than is known here: a blocking command whose connection died can still take something
 * after that reading.
 *
 * One command that fails again and again while others do not is no broken connection: then less and less is read. And what the server
 * refuses to end, it may refuse for that one unit alone: its neighbours go on, and it is handed in again later.
 */
import { clearTimeout, setTimeout } from "../runtime/clock.ts";
import { toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { Setbacks } from "../runtime/setbacks.ts";
import { delay, retryDelay } from "../runtime/waiting.ts";
import type { Trade } from "./trade.ts";

/** Whether a shift knows what it holds, and how it finds out when it does not. */
export class Doubt<Unit, Command extends string> {
  readonly #trade: Trade<Unit>;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  readonly #setbacks = new Setbacks<Command>();
  readonly #refusals = new Setbacks<Unit>();
  readonly #postponed = new Set<NodeJS.Timeout>();
  #isDue = false;
  #isResolving = false;
  #generation = 0;
  #suspicions = 0;

  constructor(trade: Trade<Unit>, logger: Logger) {
    this.#trade = trade;
    this.#logger = logger;
  }

  /** It has to be read before anything else is sent. */
  get isDue(): boolean {
    return this.#isDue;
  }

  /** It is being read. */
  get isResolving(): boolean {
    return this.#isResolving;
  }

  /** Whether ends wait to be handed in again. */
  get hasPostponed(): boolean {
    return this.#postponed.size > 0;
  }

  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** What is known may be wrong. */
  raise(): void {
    this.#isDue = true;
  }

  /** What is known was read just now. */
  clear(): void {
    this.#isDue = false;
    this.#suspicions = 0;
  }

  /** A command failed; `isExpected` when the connection broke, which is nothing to tell. */
  noteFailure(command: Command, error: unknown, { isExpected }: { readonly isExpected: boolean }): void {
    const count = this.#isDue ? 0 : this.#setbacks.note(command);
    this.#isDue = true;
    const level = count === 1 && !isExpected ? "error" : "debug";
    const fields = { ...this.#trade.fields, error: toError(error).message, command };
    this.#logger[level](fields, `a command of a ${this.#trade.role} failed; what it holds is read again`);
  }

  noteSuccess(command: Command): void {
    this.#setbacks.clear(command);
  }

  /** Takes note of how many the server says are held, and how many are known, while no command is under way. */
  compare(held: number, known: number): void {
    this.#suspicions = held > known ? this.#suspicions + 1 : 0;
    if (this.#suspicions >= 2) this.#isDue = true;
  }

  /** The server refused this one end: `again` hands it in once more, less and less often. */
  postpone(unit: Unit, error: unknown, again: () => void): void {
    const count = this.#refusals.note(unit);
    const level = count === 1 ? "error" : "debug";
    const fields = { ...this.#trade.fields, id: this.#trade.idOf(unit), error: toError(error).message };
    this.#logger[level](fields, `${this.#trade.unit} could not be handed in`);
    const retry = (): void => {
      this.#postponed.delete(timer);
      again();
    };
    const timer = setTimeout(retry, retryDelay(count, { first: 100, max: 30_000 }));
    this.#postponed.add(timer);
  }

  /** The end was not refused this time. */
  noteEnd(unit: Unit): void {
    this.#refusals.clear(unit);
  }

  /** Reads until that works. Undefined when there is nothing to do any more: the lease went, or the shift ended. */
  async resolve<Found>(read: () => Promise<Found | undefined>): Promise<Found | undefined> {
    const generation = this.#generation;
    this.#isResolving = true;
    try {
      for (let tries = Math.max(0, this.#setbacks.most - 1); !this.signal.aborted; tries++) {
        if (tries > 0) await delay(retryDelay(tries - 1), this.signal);
        const found = await this.#try(read);
        if (generation !== this.#generation) return undefined;
        if (found !== undefined) return found;
      }
      return undefined;
    } finally {
      this.#isResolving = false;
    }
  }

  /** Forgets everything of a lease that is lost. */
  reset(): void {
    this.#generation++;
    this.#forgetRefusals();
  }

  stop(): void {
    this.#stopping.abort();
    this.#forgetRefusals();
  }

  async #try<Found>(read: () => Promise<Found | undefined>): Promise<Found | undefined> {
    try {
      return await read();
    } catch (error) {
      this.#logger.debug(
        { ...this.#trade.fields, error: toError(error).message },
        `what a ${this.#trade.role} holds could not be read yet`,
      );
      return undefined;
    }
  }

  #forgetRefusals(): void {
    this.#refusals.forget();
    for (const timer of this.#postponed) clearTimeout(timer);
    this.#postponed.clear();
  }
}
