/*
 * DESIGN. One follower of one client. It pulls: the next entry is asked of the stream when the socket has room for it, so a client that is
 * slow is never ahead of what it reads, and holds a page of entries at the most. Followers that stand at the same place share Keyline's
 * reads; who has room goes on within the same turn of the event loop, so that a thousand who wait for the next entry get it with
 * one read, and wait for the one after it with another.
 *
 * The sweep of the live connections cuts a client that takes nothing (live/connection.ts); then the follower is stopped.
 */
import type { LogError } from "../server/message-of.ts";
import type { Entry, StreamGap } from "keyline";
import type { Receiver } from "../live/receiver.ts";
import { toProblem } from "../server/problem.ts";
import type { GatewayStream } from "./exposures.ts";
import type { FollowWire } from "./follow-wire.ts";
import type { StreamCounts } from "./stream-counts.ts";

// After so many entries that are none of its key, a client is told how far it has come: it resumes there, not far behind.
const mostPassedOver = 500;

/** A connection, to its followers. */
interface Follower extends Pick<Receiver, "write" | "hasRoomFor" | "drained"> {
  /** True when nothing more is written to it. */
  readonly isEnding: boolean;
}

interface FollowSetup {
  readonly stream: GatewayStream;
  /** Behind which place. */
  readonly after: string;
  /** Only entries of this key. */
  readonly key: string | undefined;
  readonly receiver: Follower;
  readonly wire: FollowWire;
  readonly counts: StreamCounts;
  /** It ended otherwise than by `stop`. */
  onEnd(code: "CLOSED" | "INTERNAL_ERROR"): void;
  readonly logError: LogError;
}

export class Follow {
  readonly #setup: FollowSetup;
  readonly #stopping = new AbortController();
  readonly #entries: AsyncIterable<Entry<unknown>>;
  #place: string;
  #passedOver = 0;
  #gapTold: Promise<void> | undefined;

  /** Begins to write, in a later turn. Throws INVALID_ID, and CLOSED. */
  constructor(setup: FollowSetup) {
    const { stream, after } = setup;
    this.#setup = setup;
    this.#place = after;
    this.#entries = stream.follow({ after, signal: this.#stopping.signal, onGap: (gap) => this.#noteGap(gap) });
    void this.#run();
  }

  /** Up to there everything was written: to follow from later. */
  get place(): string {
    return this.#place;
  }

  stop(): void {
    this.#stopping.abort();
  }

  get #isOver(): boolean {
    return this.#stopping.signal.aborted || this.#setup.receiver.isEnding;
  }

  async #run(): Promise<void> {
    const { stream, key, counts, onEnd, logError } = this.#setup;
    let code: "CLOSED" | "INTERNAL_ERROR" = "CLOSED";
    counts.followers++;
    try {
      for await (const entry of this.#entries) {
        if (this.#gapTold) await this.#gapTold;
        if (key === undefined || entry.key === key) await this.#tell(entry);
        else await this.#passOver(entry.id);
        if (this.#isOver) break;
      }
    } catch (error) {
      if (toProblem(error).body.code !== "CLOSED") {
        code = "INTERNAL_ERROR";
        logError(error, "a stream could not be followed any more", { stream: stream.name });
      }
    } finally {
      counts.followers--;
    }
    if (!this.#isOver) onEnd(code);
  }

  async #tell(entry: Entry<unknown>): Promise<void> {
    const { stream, wire, counts, logError } = this.#setup;
    let frame: Buffer;
    try {
      frame = wire.entry(entry);
    } catch (error) {
      return logError(error, "an entry that is not JSON was skipped", { stream: stream.name, id: entry.id });
    }
    if (await this.#write(frame, entry.id)) counts.deliveries++;
  }

  async #passOver(id: string): Promise<void> {
    if (++this.#passedOver >= mostPassedOver) await this.#write(this.#setup.wire.passed(id), id);
  }

  /** A gap is told before what is behind it, and also where nothing is. */
  #noteGap(gap: StreamGap): void {
    const before = this.#gapTold ?? Promise.resolve();
    const told = before.then(() => this.#write(this.#setup.wire.gap(gap), gap.until)).then(() => undefined);
    this.#gapTold = told;
    void told.then(() => this.#gapTold === told && (this.#gapTold = undefined));
  }

  /** Writes as soon as the socket has room: others may follow over the same one. False when it is too late. */
  async #write(frame: Buffer, place: string): Promise<boolean> {
    const { receiver } = this.#setup;
    while (!receiver.hasRoomFor(frame.length)) await receiver.drained();
    if (this.#isOver) return false;
    receiver.write(frame);
    this.#place = place;
    this.#passedOver = 0;
    return true;
  }
}
