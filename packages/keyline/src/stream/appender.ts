import { setImmediate } from "../runtime/clock.ts";
import { toError } from "../runtime/errors.ts";
import { explainSend } from "../valkey/client/faults.ts";
import type { Appended, OutgoingEntry, StreamLog } from "../valkey/stream/stream-log.ts";

const readyWithinMs = 5_000;
const pageEntries = 200;
const pageLength = 1_048_576;

interface Pending {
  readonly entries: readonly OutgoingEntry[];
  readonly resolve: (appended: Appended[]) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Appends to a plain stream, in the order of the calls. A call leaves at once when none is under way; otherwise those of one turn of the
 * event loop travel together, in one script.
 */
export class Appender {
  readonly #stream: string;
  readonly #log: StreamLog;
  readonly #noteAppended: (entries: number) => void;
  #pending: Pending[] = [];
  readonly #underWay = new Set<Promise<void>>();

  constructor(stream: string, { log, noteAppended }: { readonly log: StreamLog; readonly noteAppended: (entries: number) => void }) {
    this.#stream = stream;
    this.#log = log;
    this.#noteAppended = noteAppended;
  }

  /** Appends these entries in one step. */
  append(entries: readonly OutgoingEntry[]): Promise<Appended[]> {
    return new Promise((resolve, reject) => {
      const pending = { entries, resolve, reject };
      if (this.#underWay.size === 0 && this.#pending.length === 0) {
        this.#send([pending]);
        return;
      }
      if (this.#pending.length === 0) setImmediate(() => this.#sendPending());
      this.#pending.push(pending);
    });
  }

  /** Resolves when everything that was appended so far is there, or has failed. */
  async drained(): Promise<void> {
    this.#sendPending();
    await Promise.all(this.#underWay);
  }

  #sendPending(): void {
    const pending = this.#pending;
    this.#pending = [];
    let page: Pending[] = [];
    let count = 0;
    let length = 0;
    for (const call of pending) {
      page.push(call);
      count += call.entries.length;
      for (const { dataJson } of call.entries) length += dataJson.length;
      if (count < pageEntries && length < pageLength) continue;
      this.#send(page);
      page = [];
      count = 0;
      length = 0;
    }
    if (page.length > 0) this.#send(page);
  }

  #send(page: readonly Pending[]): void {
    const sending = this.#sendPage(page).finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
  }

  async #sendPage(page: readonly Pending[]): Promise<void> {
    try {
      const entries = page.length === 1 && page[0] ? page[0].entries : page.flatMap((call) => call.entries);
      const appended = await this.#insure(entries);
      let first = 0;
      for (const call of page) {
        call.resolve(appended.slice(first, first + call.entries.length));
        first += call.entries.length;
      }
      this.#noteAppended(appended.reduce((count, one) => (one.appended ? count + 1 : count), 0));
    } catch (error) {
      for (const { reject } of page) reject(toError(error));
    }
  }

  async #insure(entries: readonly OutgoingEntry[]): Promise<Appended[]> {
    const { connection } = this.#log;
    if (!connection.isReady) await connection.ensureReady(readyWithinMs);
    try {
      return await this.#log.append(entries);
    } catch (error) {
      const unknown =
        `The connection to Valkey broke while events were appended to stream ${this.#stream}: whether they are there is not known. ` +
        "They were not sent again; an append with an idempotencyKey can be repeated";
      throw explainSend(error, unknown);
    }
  }
}
