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
import { Audience } from "./audience.ts";
import { formatCursor } from "./cursor.ts";
import { walk, type Step } from "./history-walk.ts";
import { InOrder } from "./in-order.ts";
import { readEntry, readMessage, type Message, type MessageReader, type RawMessage } from "./message.ts";
import type { Receiver } from "./receiver.ts";
import { historyPage, isSameEra, Replays, type HandOver } from "./replays.ts";
import type { Topic } from "./topic.ts";
import { Window } from "./window.ts";

export interface KeptTopicSetup<Data> {
  readonly channel: string;
  readonly log: ChannelLog;
  readonly reader: MessageReader<Data>;
  readonly logger: Logger;
}

const maxEarly = 1_000;
const maxEarlyLength = 8_388_608;

export class KeptTopic<Data> implements Topic<Data> {
  readonly #setup: KeptTopicSetup<Data>;
  readonly #audience = new Audience<Data>();
  readonly #waiting = new Map<Receiver<Data>, Position | "earliest" | undefined>();
  readonly #window = new Window<Data>();
  readonly #replays: Replays<Data>;
  readonly #inOrder = new InOrder();
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
  /** Live messages that came since the last read was sent. */
  #early: { readonly raw: RawMessage; readonly cursor: string; readonly length: number }[] = [];
  #earlyLength = 0;

  constructor(setup: KeptTopicSetup<Data>) {
    this.#setup = setup;
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
    if (raw.cursor === undefined) this.#hand(raw, { length: text.length });
    else if (this.#isCurrent) this.#take(raw, { cursor: raw.cursor, length: text.length });
    else this.#keepEarly(raw, { cursor: raw.cursor, length: text.length });
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
    this.#forgetEarly();
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
    receiver.begin(formatCursor(this.#position));
    receiver.skipTo = this.#position.count;
    this.#audience.add(receiver);
  }

  /**
   * Brings a receiver as far as the window does, and makes it live when that is as far as the audience. Returns its new place; "later" when
   * this topic is not up to date itself, "behind" when the window begins after the receiver's place.
   */
  #handOver(receiver: Receiver<Data>, position: Position): HandOver {
    if (!this.#isCurrent || !this.#position) return "later";
    if (!this.#window.reachesBackTo(position)) return isSameEra(position, this.#position) ? "behind" : "later";
    let { count } = position;
    for (const next of this.#window.after(count)) {
      if (receiver.room <= 0) return { ...position, count };
      count = next.count;
      if (next.message) receiver.offer(next.message);
    }
    // Another process may have been told of messages that are still on their way to this one.
    receiver.skipTo = position.count;
    receiver.begin(formatCursor({ ...position, count }));
    if (!receiver.isClosed) this.#audience.add(receiver);
    return "live";
  }

  /** A page that was read for those who were away: it serves the next ones too, and may show that the history or the server is another one by now. */
  #noticePage({ end, entries }: HistoryPage, messages: ReadonlyMap<string, Message<Data>>): void {
    if (!this.#isCurrent || !this.#position) return;
    if (!isSameEra(end, this.#position)) {
      this.#isCurrent = false;
      this.#catchUp();
      return;
    }
    const older = entries.filter(({ era }) => era === end.era).toReversed();
    this.#window.extend(older.map(({ entryId, count, data }) => ({ message: messages.get(entryId), count, length: data.length })));
  }

  /** A live message. */
  #take(raw: RawMessage, { cursor, length }: { readonly cursor: string; readonly length: number }): void {
    if (this.#position && cursor.startsWith(this.#prefix)) {
      const count = Number.parseInt(cursor.slice(this.#prefix.length), 10);
      if (count <= this.#position.count) return;
      if (count === this.#position.count + 1) {
        this.#position = { ...this.#position, count, last: cursor.slice(cursor.lastIndexOf(".") + 1) };
        this.#hand(raw, { length, count });
        return;
      }
    }
    this.#isCurrent = false;
    this.#catchUp();
  }

  #keepEarly(raw: RawMessage, { cursor, length }: { readonly cursor: string; readonly length: number }): void {
    this.#early.push({ raw, cursor, length });
    this.#earlyLength += length;
    if (this.#early.length <= maxEarly && this.#earlyLength <= maxEarlyLength) return;
    // All of them are in the history, which is then read once more.
    this.#forgetEarly();
    this.#session++;
  }

  #forgetEarly(): void {
    this.#early = [];
    this.#earlyLength = 0;
  }

  #hand(raw: RawMessage, { length, count }: { readonly length: number; readonly count?: number }): void {
    this.#inOrder.use(this.#setup.reader.read(raw), (message: Message<Data> | undefined) => {
      if (count !== undefined) this.#window.push(message, length);
      if (message) this.#audience.offer(message, count);
    });
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
        this.#forgetEarly();
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
      this.#inOrder.use(step.gap, (gap) => this.#audience.offerGap(gap));
      return;
    }
    const { position, data } = step;
    if (!formatCursor(position).startsWith(this.#prefix)) this.#moveTo({ ...position, count: position.count - 1 });
    this.#position = position;
    const raw = readEntry(this.#setup.channel, step, this.#setup.logger);
    if (raw) this.#hand(raw, { length: data.length, count: position.count });
    else this.#inOrder.use(undefined, () => this.#window.push(undefined, 0));
  }

  /** The window has a hole before `position`. */
  #moveTo(position: Position): void {
    this.#position = position;
    this.#prefix = `${position.epoch}.${position.era}.`;
    this.#inOrder.use(position, (place) => this.#window.reset(place));
  }

  #becomeCurrent(): void {
    this.#isCurrent = true;
    for (const { raw, ...rest } of this.#early) {
      this.#take(raw, rest);
      // It was not the next one, and everything is read once more.
      if (!this.#isCurrent) return;
    }
    this.#forgetEarly();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    // Behind messages whose schema is still at work.
    this.#inOrder.use(waiting, (receivers) => {
      for (const [receiver, since] of receivers) this.#begin(receiver, since);
      this.#replays.wake();
    });
  }
}
