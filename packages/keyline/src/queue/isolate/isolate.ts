import type { Transaction } from "../../postgres/client/options.ts";
import type { SettleEffects } from "../../postgres/settle/settle-statement.ts";
import { setTimeout } from "../../runtime/clock.ts";
import { KeylineError } from "../../runtime/errors.ts";
import type { ChildrenOptions } from "../families/familial.ts";
import type { Job } from "../job.ts";
import type { Child } from "../options.ts";
import type { HandlerContext } from "../worker/job-settle.ts";
import { Calls, received, sendable, type End, type FromIsolate } from "./messages.ts";
import { withNamedQueues } from "./sent-children.ts";
import { launch, type IsolateKind, type Vessel } from "./vessel.ts";

interface Running {
  readonly run: number;
  readonly job: Job<unknown>;
  readonly context: HandlerContext;
  readonly finish: (end: End) => void;
  /** Transactions that are open for effects over there, by the call. */
  readonly open: Map<number, Transaction>;
}

/** How long a handler whose attempt is over has to end by itself. */
const graceMs = 500;

/** A thread or a process with the handler in it. */
export class Isolate {
  /** Resolves when the handler is loaded; rejects when it cannot be. */
  readonly ready: Promise<void>;
  readonly #handler: URL;
  readonly #vessel: Vessel;
  readonly #ended = Promise.withResolvers<void>();
  readonly #loaded = Promise.withResolvers<void>();
  readonly #effects = new Calls();
  #lastRun = 0;
  #running: Running | undefined;
  #why: string | undefined;

  constructor(kind: IsolateKind, handler: URL) {
    this.ready = this.#loaded.promise;
    this.#handler = handler;
    // Whoever does not wait for it is told by the attempt.
    this.ready.catch(() => undefined);
    this.#vessel = launch(kind, handler, { message: (message) => this.#listen(message), ended: (why) => this.#end(why) });
  }

  /** It can take another attempt. */
  get isUsable(): boolean {
    return this.#why === undefined;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Runs one attempt; it is usable for the next one when this has settled and it says so. */
  async run(job: Job<unknown>, context: HandlerContext): Promise<unknown> {
    await this.ready;
    const { promise, resolve } = Promise.withResolvers<End>();
    const run = ++this.#lastRun;
    this.#running = { run, job, context, finish: resolve, open: new Map() };
    const { id, queue, data, attempt, addedAt, schedule, group } = job;
    const abort = (): void => this.#abort(run, job);
    try {
      this.#vessel.send({ kind: "run", run, job: { id, queue, data, attempt, addedAt, schedule, group } });
      job.signal.addEventListener("abort", abort);
      if (job.signal.aborted) abort();
      const end = await promise;
      if ("error" in end) throw received(end.error);
      return end.value;
    } finally {
      job.signal.removeEventListener("abort", abort);
      this.#running = undefined;
    }
  }

  kill(): Promise<void> {
    this.#vessel.kill();
    return this.ended;
  }

  // What never ends by itself is ended.
  #abort(run: number, job: Job<unknown>): void {
    this.#vessel.send({ kind: "abort", run, error: sendable(job.signal.reason) });
    setTimeout(() => {
      if (this.#running?.run === run) this.#vessel.kill();
    }, graceMs);
  }

  #end(why: string): void {
    this.#why = why;
    const error = new KeylineError("HANDLER_DIED", `The handler in ${this.#handler.href} did not come to its end: ${why}`);
    this.#loaded.reject(error);
    this.#effects.endAll(error);
    this.#running?.finish({ error: sendable(error) });
    this.#ended.resolve();
  }

  #listen(message: FromIsolate): void {
    if (message.kind === "ready") return this.#loaded.resolve();
    if (message.kind === "invalid") return this.#loaded.reject(invalid(this.#handler, message.error.message));
    const running = this.#running;
    if (!running || message.run !== running.run) return;
    if (message.kind === "ended") running.finish(message.end);
    else if (message.kind === "call") void this.#answer(message.call, () => this.#call(running, message));
    else if (message.kind === "query") void this.#answer(message.call, () => query(running.open.get(message.within), message.values));
    else this.#effects.end(message.call, message.end);
  }

  async #answer(call: number, work: () => Promise<unknown>): Promise<void> {
    let end: End;
    try {
      end = { value: await work() };
    } catch (error) {
      end = { error: sendable(error) };
    }
    if (this.isUsable) this.#vessel.send({ kind: "answer", call, end });
  }

  #call({ job, context, open }: Running, { call, name, values }: FromIsolate & { readonly kind: "call" }): Promise<unknown> {
    const effects = async (tx: Transaction): Promise<unknown> => {
      open.set(call, tx);
      try {
        return await this.#effects.expect(call, () => this.#vessel.send({ kind: "effects", call }));
      } finally {
        open.delete(call);
      }
    };
    switch (name) {
      case "settle":
        return context.settle(values.length > 0 ? (values[0] as SettleEffects) : effects);
      case "step":
        return context.step(values[0] as string, effects);
      case "sleep":
        return job.sleep(values[0] as string, values[1] as number);
      case "signalled":
        return job.signalled(values[0] as string, values[1] as { readonly timeout?: number });
      case "progress":
        return job.progress(values[0]);
      case "addChildren": {
        const [children, options, within] = values as [unknown, Omit<ChildrenOptions, "tx">, number | undefined];
        const given = withNamedQueues(children) as readonly Child[];
        if (within === undefined) return job.addChildren(given, options);
        const tx = open.get(within);
        return tx ? job.addChildren(given, { ...options, tx }) : Promise.reject(isOver());
      }
      case "children":
        return job.childrenPage(values[0] as string);
      case "childrenEnded":
        return job.childrenEnded();
    }
  }
}

export function invalid({ href }: URL, why: string): KeylineError {
  return new KeylineError("INVALID_HANDLER", `The file of the handler, ${href}, cannot be used: ${why}`);
}

function isOver(): KeylineError {
  return new KeylineError(
    "NOT_IN_TRANSACTION",
    "The transaction that this tx was for has ended: await every statement in the function that was given it",
  );
}

async function query(tx: Transaction | undefined, values: readonly unknown[]): Promise<unknown> {
  if (!tx) throw isOver();
  const result = await (tx.query as (...all: readonly unknown[]) => Promise<{ rows: unknown[]; rowCount: number | null; command: string }>)(
    ...values,
  );
  const { rows, rowCount, command } = result;
  return { rows, rowCount, command };
}
