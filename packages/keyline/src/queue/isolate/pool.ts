import type { Job } from "../job.ts";
import type { HandlerContext } from "../worker/job-settle.ts";
import { Isolate } from "./isolate.ts";
import type { IsolateKind } from "./vessel.ts";

/** The threads or processes of one worker: as many as jobs run at the same time, each with one of them. They are made when they are needed. */
export class IsolatePool {
  readonly #kind: IsolateKind;
  readonly #handler: URL;
  readonly #all = new Set<Isolate>();
  readonly #idle: Isolate[] = [];
  #isClosed = false;

  constructor(kind: IsolateKind, handler: URL) {
    this.#kind = kind;
    this.#handler = handler;
  }

  /** Loads the handler once. Rejects with INVALID_HANDLER where that cannot be. */
  async open(): Promise<void> {
    const first = this.#launch();
    await first.ready;
    this.#idle.push(first);
  }

  readonly run = async (job: Job<unknown>, context: HandlerContext): Promise<unknown> => {
    const isolate = this.#take();
    try {
      return await isolate.run(job, context);
    } finally {
      // Its attempt has ended, or it has.
      if (isolate.isUsable && !this.#isClosed) this.#idle.push(isolate);
      else void isolate.kill();
    }
  };

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#all].map((isolate) => isolate.kill()));
  }

  #take(): Isolate {
    for (let isolate = this.#idle.pop(); isolate; isolate = this.#idle.pop()) if (isolate.isUsable) return isolate;
    return this.#launch();
  }

  #launch(): Isolate {
    const isolate = new Isolate(this.#kind, this.#handler);
    this.#all.add(isolate);
    void isolate.ended.then(() => this.#all.delete(isolate));
    return isolate;
  }
}
