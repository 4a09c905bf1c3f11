/*
 * DESIGN. A channel with history, on its way to the receivers in this process.
 *
 * Valkey numbers the messages of a history without holes and publishes each in the step that keeps it. This topic knows up to which
 * one (`#position`) it has handed everything to its audience. From that follow
 *
 * 1. no gap and no duplicate at the seam between what is read and what comes live: the subscription is confirmed first, and only
 *    then the history is read, up to its end. A message published before the read is in what was read; one published after it
 *    comes live; one that is in both has a number that was passed already, and is dropped. Live messages that come before
 *    the read is done wait for it;
 * 2. no hole is passed over: a live message that is not the next one starts a read from `#position`. So does every reconnect, and
 *    with it every failover;
 * 3. what cannot be read any more is announced: see history-walk.ts.
 *
 * A receiver that resumes is served from the window of newest messages if that reaches back to its cursor, else by `Replays` from
 * the history until it does. It goes live in one synchronous step, when it has got all that the audience has: so its seam is
 * the same one.
 */
import type { Logger } from "../runtime/logger.ts";
import { toError, type KeylineError } from "../runtime/errors.ts";
import { delay, retryDelay } from "../runtime/waiting.ts";
import type { ChannelLog, HistoryPage, Position } from "../valkey/channel/channel-log.ts";
import { formatCursor } from "./cursor.ts";
import { EarlyMessages, type LiveMessage } from "./early-messages.ts";
import { walk, type Step } from "./history-walk.ts";
import type { ChannelTally } from "./channel-tally.ts";
import { KeptAudience } from "./kept-audience.ts";
import { readEntry, readMessage, type Message, type MessageReader } from "./message.ts";
import type { Receiver } from "./receiver.ts";
import { historyPage, isSameEra, Replays, type HandOver } from "./replays.ts";
import type { Topic } from "./topic.ts";

export interface KeptTopicSetup<Data> {
  readonly channel: string;
  readonly log: ChannelLog;
  readonly reader: MessageReader<Data>;
  readonly tally?: ChannelTally;
  readonly logger: Logger;
}

export class KeptTopic<Data> implements Topic<Data> {
  readonly #setup: KeptTopicSetup<Data>;
  readonly #audience: KeptAudience<Data>;
  readonly #waiting = new Map<Receiver<Data>, Position | "earliest" | undefined>();
  readonly #replays: Replays<Data>;
  readonly #early = new EarlyMessages();
  readonly #stopping = new AbortController();
  #position: Position | undefined;
  /** `<epoch>.<era>.` of the position: what a cursor of the same history begins with. */
  #prefix = "";
  #isConnected = false;
  /** What keeps it from being connected until somebody mends it. */
  #fault: KeylineError | undefined;
  /** Counts what makes a read that is under way insufficient. */
  #session = 0;
  /** Everything up to `#position` was handed on, and what comes live continues there. */
  #isCurrent = false;
  #reading: Promise<void> | undefined;

  constructor(setup: KeptTopicSetup<Data>) {
    this.#setup = setup;
    this.#audience = new KeptAudience<Data>(setup.reader, setup.tally);
    this.#replays = new Replays<Data>({
      ...setup,
      signal: this.#stopping.signal,
      handOver: (receiver, position) => this.#handOver(receiver, position),
      noticePage: (page, messages) => this.#noticePage(page, messages),
    });
  }

  get isIdle(): boolean {
    return this.#audience.isEmpty && this.#waiting.size === 0 && this.#replays.isIdle;
  }

  attach(receiver: Receiver<Data>, since?: Position | "earliest"): void {
    if (this.#fault) receiver.close(this.#fault);
    else if (this.#isCurrent) this.#begin(receiver, since);
    else this.#waiting.set(receiver, since);
  }

  detach(receiver: Receiver<Data>): void {
    this.#waiting.delete(receiver);
    this.#audience.delete(receiver);
    this.#replays.delete(receiver);
  }

  onMessage(text: string): void {
    const raw = readMessage(this.#setup.channel, text, this.#setup.logger);
    if (!raw) return;
    // A foreign writer's, which is in no history, is handed on, and has no place to resume from.
    if (raw.cursor === undefined) this.#audience.hand(raw, { length: text.length });
    else if (this.#isCurrent) this.#take({ raw, cursor: raw.cursor, length: text.length });
    // Where they have become too many they are forgotten, and read once more.
    else if (!this.#early.keep({ raw, cursor: raw.cursor, length: text.length })) this.#session++;
  }

  onConnected(): void {
    this.#isConnected = true;
    this.#fault = undefined;
    this.#session++;
    this.#catchUp();
  }

  onDisconnected(): void {
    this.#isConnected = false;
    this.#isCurrent = false;
    this.#early.forget();
  }

  onRefused(fault: KeylineError): void {
    this.#fault = fault;
    for (const receiver of this.#waiting.keys()) receiver.close(fault);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#reading;
  }

  #begin(receiver: Receiver<Data>, since: Position | "earliest" | undefined): void {
    if (receiver.isClosed || !this.#position) return;
    if (since !== undefined) {
      // Where the earliest is, the first page tells.
      if (since !== "earliest") receiver.begin(formatCursor(since));
      this.#replays.add(receiver, since);
      return;
    }
    this.#audience.begin(receiver, this.#position);
  }

  /**
   * Brings a receiver as far as the window does, and makes it live when that is as far as the audience. Returns its new place; "later" when
   * this topic is not up to date itself, "behind" when the window begins after the receiver's place.
   */
  #handOver(receiver: Receiver<Data>, position: Position): HandOver {
    if (!this.#isCurrent || !this.#position) return "later";
    if (!this.#audience.reachesBackTo(position)) return isSameEra(position, this.#position) ? "behind" : "later";
    return this.#audience.bring(receiver, position);
  }

  /** A page that was read for those who were away: it serves the next ones too, and may show that the history or the server is another one by now. */
  #noticePage(page: HistoryPage, messages: ReadonlyMap<string, Message<Data>>): void {
    if (!this.#isCurrent || !this.#position) return;
    if (!isSameEra(page.end, this.#position)) {
      this.#isCurrent = false;
      this.#catchUp();
      return;
    }
    this.#audience.extend(page, messages);
  }

  /** A live message. */
  #take({ raw, cursor, length }: LiveMessage): void {
    if (this.#position && cursor.startsWith(this.#prefix)) {
      const count = Number.parseInt(cursor.slice(this.#prefix.length), 10);
      if (count <= this.#position.count) return;
      if (count === this.#position.count + 1) {
        this.#position = { ...this.#position, count, last: cursor.slice(cursor.lastIndexOf(".") + 1) };
        this.#audience.hand(raw, { length, count });
        return;
      }
    }
    this.#isCurrent = false;
    this.#catchUp();
  }

  #catchUp(): void {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
      // The connection broke and came back while the last page was read.
      if (this.#isConnected && !this.#isCurrent && !this.#stopping.signal.aborted) this.#catchUp();
    });
  }

  /** Reads from `#position` to the end of the history, and hands it to the audience. */
  async #read(): Promise<void> {
    const { log, channel, logger } = this.#setup;
    const { signal } = this.#stopping;
    for (let tries = 0; this.#isConnected && !signal.aborted;) {
      try {
        await log.connection.ensureReady(5_000);
        const session = this.#session;
        const since = this.#position;
        const limit = since ? historyPage : 0;
        // What has come so far was published before this read, and is in it.
        this.#early.forget();
        const page = await log.readSince(since ?? "earliest", limit);
        tries = 0;
        const isEnd = page.entries.length < limit || limit === 0;
        if (!since) this.#moveTo(page.end);
        else {
          const { steps, position } = walk(channel, page, { since, isEnd });
          for (const step of steps) this.#follow(step);
          this.#position = position;
          if (isEnd && formatCursor(position) !== formatCursor(steps.at(-1)?.position ?? since)) this.#moveTo(position);
        }
        // A read counts that was begun under the subscription that is there now.
        if (isEnd && this.#isConnected && session === this.#session) {
          this.#becomeCurrent();
          return;
        }
      } catch (error) {
        logger.debug({ channel, error: toError(error).message }, "a channel's history could not be read yet");
        await delay(retryDelay(tries++), signal);
      }
    }
  }

  #follow(step: Step): void {
    if (step.kind === "gap") {
      this.#moveTo(step.position);
      this.#audience.announce(step.gap);
      return;
    }
    const { position, data } = step;
    if (!formatCursor(position).startsWith(this.#prefix)) this.#moveTo({ ...position, count: position.count - 1 });
    this.#position = position;
    const raw = readEntry(this.#setup.channel, step, this.#setup.logger);
    if (raw) this.#audience.hand(raw, { length: data.length, count: position.count });
    else this.#audience.passOver();
  }

  /** The window has a hole before `position`. */
  #moveTo(position: Position): void {
    this.#position = position;
    this.#prefix = `${position.epoch}.${position.era}.`;
    this.#audience.moveTo(position);
  }

  #becomeCurrent(): void {
    this.#isCurrent = true;
    for (const early of this.#early.all()) {
      this.#take(early);
      // It was not the next one, and everything is read once more.
      if (!this.#isCurrent) return;
    }
    this.#early.forget();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    // Behind messages whose schema is still at work.
    this.#audience.afterwards(() => {
      for (const [receiver, since] of waiting) this.#begin(receiver, since);
      this.#replays.wake();
    });
  }
}
