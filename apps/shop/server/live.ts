/*
 * Server-sent events for all open pages. One loop makes a snapshot for all of them: at most five times a second while something
 * happens, once a second while nothing does, and not at all while nobody looks. What is the same as before is not sent; a heartbeat
 * then tells the page that the server is still there.
 */
import type { ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import type { Snapshot } from "../snapshot.ts";

const busyMs = 200;
const quietMs = 1_000;
const heartbeatMs = 5_000;

export class Live {
  readonly #takeSnapshot: () => Promise<Snapshot>;
  readonly #logError: (message: string) => void;
  readonly #pages = new Set<ServerResponse>();
  readonly #behind = new WeakSet<ServerResponse>();
  #loop: Promise<void> | undefined;
  #wake = new AbortController();
  #last = { comparable: "", frame: "" };
  #sentAt = 0;

  constructor(takeSnapshot: () => Promise<Snapshot>, logError: (message: string) => void) {
    this.#takeSnapshot = takeSnapshot;
    this.#logError = logError;
  }

  get pages(): number {
    return this.#pages.size;
  }

  /** Sends to this response, whose headers are out, until it closes. */
  add(page: ServerResponse): void {
    this.#pages.add(page);
    page.on("close", () => this.#pages.delete(page));
    page.on("error", () => this.#pages.delete(page));
    if (this.#loop && this.#last.frame) page.write(this.#last.frame);
    this.#loop ??= this.#run().finally(() => (this.#loop = undefined));
  }

  /** Something has changed: the next snapshot need not wait for its time. */
  nudge(): void {
    // Called for every report of a worker: an abort is not cheap.
    if (!this.#wake.signal.aborted) this.#wake.abort();
  }

  async stop(): Promise<void> {
    for (const page of this.#pages) page.end();
    this.#pages.clear();
    this.nudge();
    await this.#loop;
  }

  async #run(): Promise<void> {
    this.#last = { comparable: "", frame: "" };
    while (this.#pages.size > 0) {
      this.#wake = new AbortController();
      const startedAt = performance.now();
      const hasChanged = await this.#send();
      // A large table takes longer to count: leave the server most of its time for other things.
      const pauseMs = Math.min(quietMs, 4 * (performance.now() - startedAt));
      await wait(Math.max(busyMs, pauseMs));
      if (!hasChanged) await wait(quietMs - busyMs, undefined, { signal: this.#wake.signal }).catch(() => undefined);
    }
  }

  async #send(): Promise<boolean> {
    try {
      const snapshot = await this.#takeSnapshot();
      const comparable = JSON.stringify({ ...snapshot, at: 0 });
      if (comparable === this.#last.comparable) {
        if (performance.now() - this.#sentAt >= heartbeatMs) this.#write("event: heartbeat\ndata: \n\n");
        return false;
      }
      this.#last = { comparable, frame: `event: snapshot\ndata: ${JSON.stringify(snapshot)}\n\n` };
      this.#write(this.#last.frame);
      return true;
    } catch (error) {
      this.#logError(`No snapshot for the page: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return false;
    }
  }

  #write(frame: string): void {
    this.#sentAt = performance.now();
    for (const page of this.#pages) {
      if (page.writableNeedDrain) this.#catchUp(page);
      else page.write(frame);
    }
  }

  /** A browser that does not keep up gets the latest snapshot when it can take one: each is complete. */
  #catchUp(page: ServerResponse): void {
    if (this.#behind.has(page)) return;
    this.#behind.add(page);
    page.once("drain", () => {
      this.#behind.delete(page);
      page.write(this.#last.frame);
    });
  }
}
