import { setImmediate } from "../runtime/clock.ts";
import { toError } from "../runtime/errors.ts";
import type { ChannelTally } from "./channel-tally.ts";
import { explainSend } from "../valkey/client/faults.ts";
import type { ChannelLog, HistoryRule, OutgoingMessage, Published } from "../valkey/channel/channel-log.ts";

const readyWithinMs = 5_000;
const pageMessages = 100;
const pageLength = 1_048_576;

interface PublisherSetup {
  readonly log: ChannelLog;
  readonly history: HistoryRule | undefined;
  /** Has this publisher in it while something of it is under way. */
  readonly busy: Set<Publisher>;
  readonly tally: ChannelTally;
}

interface Pending {
  readonly message: OutgoingMessage;
  readonly resolve: (published: Published) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Publishes to one channel, in the order of the calls. A message leaves at once when none is under way; otherwise those of one turn of
 * the event loop travel together.
 */
export class Publisher {
  readonly #channel: string;
  readonly #log: ChannelLog;
  readonly #history: HistoryRule | undefined;
  readonly #busy: Set<Publisher>;
  readonly #tally: ChannelTally;
  #pending: Pending[] = [];
  readonly #underWay = new Set<Promise<void>>();

  constructor(channel: string, { log, history, busy, tally }: PublisherSetup) {
    this.#channel = channel;
    this.#log = log;
    this.#history = history;
    this.#busy = busy;
    this.#tally = tally;
  }

  publish(message: OutgoingMessage): Promise<Published> {
    return new Promise((resolve, reject) => {
      const pending = { message, resolve, reject };
      if (this.#isIdle) {
        this.#busy.add(this);
        this.#send([pending]);
        return;
      }
      if (this.#pending.length === 0) setImmediate(() => this.#sendPending());
      this.#pending.push(pending);
    });
  }

  get #isIdle(): boolean {
    return this.#underWay.size === 0 && this.#pending.length === 0;
  }

  #sendPending(): void {
    const pending = this.#pending;
    this.#pending = [];
    let first = 0;
    let length = 0;
    for (const [index, { message }] of pending.entries()) {
      length += message.dataJson.length;
      if (index + 1 < pending.length && index + 1 - first < pageMessages && length < pageLength) continue;
      this.#send(pending.slice(first, index + 1));
      first = index + 1;
      length = 0;
    }
  }

  /** Resolves when everything that was published so far is out, or has failed. */
  async drained(): Promise<void> {
    if (this.#pending.length > 0) this.#sendPending();
    await Promise.all(this.#underWay);
  }

  #send(page: readonly Pending[]): void {
    const sending = this.#sendPage(page).finally(() => {
      this.#underWay.delete(sending);
      if (this.#isIdle) this.#busy.delete(this);
    });
    this.#underWay.add(sending);
  }

  async #sendPage(page: readonly Pending[]): Promise<void> {
    try {
      const messages = page.map(({ message }) => message);
      const published = await this.#insure(() =>
        this.#history ? this.#log.publishKept(messages, this.#history) : this.#log.publish(messages),
      );
      this.#tally.notePublished(page.length);
      for (const [index, { resolve }] of page.entries()) resolve(published[index] ?? unheard);
    } catch (error) {
      for (const { reject } of page) reject(toError(error));
    }
  }

  async #insure<Result>(send: () => Promise<Result>): Promise<Result> {
    const { connection } = this.#log;
    if (!connection.isReady) await connection.ensureReady(readyWithinMs);
    try {
      return await send();
    } catch (error) {
      const unknown = `The connection to Valkey broke while a message was published on channel ${this.#channel}: whether it went out is not known, and it was not sent again`;
      throw explainSend(error, unknown);
    }
  }
}

const unheard: Published = { receivers: 0, cursor: undefined };
