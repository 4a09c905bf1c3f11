import type { LogError } from "../server/message-of.ts";
import type { QueueEvent, QueueEventGap } from "keyline";
import type { LiveConnection } from "../live/connection.ts";
import { idLine } from "../live/wire.ts";
import { toProblem } from "../server/problem.ts";
import type { GatewayQueue } from "./queue-access.ts";

interface FeedSetup {
  readonly queue: GatewayQueue;
  readonly since: string | undefined;
  readonly receiver: Pick<LiveConnection, "write" | "hasRoomFor" | "drained" | "isEnding" | "end">;
  readonly logError: LogError;
}

/** What becomes of a queue's jobs, told to one client, no faster than it reads. */
export class JobFeed {
  readonly #setup: FeedSetup;
  readonly #stopping = new AbortController();
  readonly #events: AsyncIterable<QueueEvent>;
  #gapTold: Promise<void> | undefined;

  /** Begins to write, in a later turn. Throws INVALID_CURSOR. */
  constructor(setup: FeedSetup) {
    const { queue, since } = setup;
    this.#setup = setup;
    const { signal } = this.#stopping;
    this.#events = queue.events({ ...(since !== undefined && { since }), signal, onGap: (gap) => this.#noteGap(gap) });
    void this.#run();
  }

  stop(): void {
    this.#stopping.abort();
  }

  get #isOver(): boolean {
    return this.#stopping.signal.aborted || this.#setup.receiver.isEnding;
  }

  async #run(): Promise<void> {
    const { queue, receiver, logError } = this.#setup;
    let code: "CLOSED" | "INTERNAL_ERROR" = "CLOSED";
    try {
      for await (const event of this.#events) {
        if (this.#gapTold) await this.#gapTold;
        await this.#write(frameOf(event));
        if (this.#isOver) break;
      }
    } catch (error) {
      if (!this.#isOver && toProblem(error).body.code !== "CLOSED") {
        code = "INTERNAL_ERROR";
        logError(error, "the events of a queue could not be followed any more", { queue: queue.name });
      }
    }
    if (!this.#isOver) receiver.end(code);
  }

  /** A gap is told before what is behind it. */
  #noteGap(gap: QueueEventGap): void {
    const told = (this.#gapTold ?? Promise.resolve()).then(() => this.#write(gapFrame(gap)));
    this.#gapTold = told;
    void told.then(() => this.#gapTold === told && (this.#gapTold = undefined));
  }

  async #write(frame: Buffer): Promise<void> {
    const { receiver } = this.#setup;
    while (!receiver.hasRoomFor(frame.length)) await receiver.drained();
    if (!this.#isOver) receiver.write(frame);
  }
}

// Cursors are digits, and JSON has no line breaks: neither can forge a field.
function frameOf({ cursor, ...event }: QueueEvent): Buffer {
  return Buffer.from(`${idLine(cursor)}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
}

export function gapFrame({ cursor, reason, missed }: Omit<QueueEventGap, "queue">): Buffer {
  return Buffer.from(`${idLine(cursor)}event: gap\ndata: ${JSON.stringify({ reason, missed: missed ?? null })}\n\n`);
}
