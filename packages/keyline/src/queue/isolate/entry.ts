/*
 * What runs in the thread or the process of an isolated handler: see messages.ts. A process whose parent has died ends, also while its handler never returns: a thread of its own looks after
 * that.
 */
import { parentPort, Worker, workerData } from "node:worker_threads";
import type { Transaction } from "../../postgres/client/options.ts";
import type { SettleStatement } from "../../postgres/settle/settle-statement.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { toJson } from "../../runtime/json.ts";
import type { ChildrenPage } from "../families/familial.ts";
import { Job } from "../job.ts";
import { withNames } from "./sent-children.ts";
import { Calls, received, sendable, type CallName, type End, type FromIsolate, type ToIsolate } from "./messages.ts";

type Effects = (tx: Transaction) => Promise<unknown>;
type Handler = (job: Job<unknown>, context: object) => unknown;
type Send = (message: FromIsolate) => void;
type Call = (name: CallName, values: readonly unknown[], effects?: Effects) => Promise<unknown>;

// The parent says who it is: it may have died before this thread asks for the first time.
const watchParent = `
  const { workerData } = require("node:worker_threads");
  setInterval(() => process.ppid === workerData.parent || process.kill(process.pid, "SIGKILL"), 1000);
`;

function connect(listen: (message: ToIsolate) => void): { readonly handler: string; readonly send: Send } {
  if (parentPort) {
    const port = parentPort;
    port.on("message", listen);
    return { handler: (workerData as { readonly handler: string }).handler, send: (message) => port.postMessage(message) };
  }
  new Worker(watchParent, { eval: true, execArgv: [], workerData: { parent: Number(process.argv[3]) } }).unref();
  process.on("message", listen);
  process.on("disconnect", () => process.exit());
  return { handler: process.argv[2] ?? "", send: (message) => void process.send?.(message) };
}

/** One attempt at a time. */
class Isolated {
  readonly #calls = new Calls();
  readonly #effects = new Map<number, Effects>();
  /** The calls that transactions belong to. */
  readonly #within = new WeakMap<object, number>();
  readonly #send: Send;
  readonly #load: Promise<Handler>;
  /** Calls of the present attempt that were not answered. */
  readonly #underWay = new Set<Promise<unknown>>();
  /** The number of the present attempt; 0 between two. */
  #run = 0;
  #job: Job<unknown> | undefined;

  constructor(handler: string, send: Send) {
    this.#send = send;
    this.#load = load(handler);
    this.#load.then(
      () => send({ kind: "ready" }),
      (error: unknown) => send({ kind: "invalid", error: sendable(error) }),
    );
  }

  listen(message: ToIsolate): void {
    if (message.kind === "run") void this.#begin(message);
    else if (message.kind === "abort" && message.run === this.#run) this.#job?.abort(received(message.error));
    else if (message.kind === "answer") this.#calls.end(message.call, message.end);
    else if (message.kind === "effects") void this.#write(message.call);
  }

  async #begin({ run, job: fields }: ToIsolate & { readonly kind: "run" }): Promise<void> {
    this.#run = run;
    const call: Call = (...given) => this.#call(run, ...given);
    const job = new Job<unknown>({ ...fields, noteProgress: (_, value) => progress(call, value) });
    this.#job = job;
    job.allowPauses({
      sleep: async (name, ms) => void (await call("sleep", [name, ms])),
      signalled: (name, options) => call("signalled", [name, options]),
      family: {
        page: (after) => call("children", [after]) as Promise<ChildrenPage>,
        add: async (children, { tx, ...options }) => void (await call("addChildren", [withNames(children), options, this.#callOf(tx)])),
        ended: async () => void (await call("childrenEnded", [])),
      },
    });
    const context = {
      settle: (effects: Effects | SettleStatement | readonly SettleStatement[]) =>
        typeof effects === "function" ? call("settle", [], effects) : call("settle", [effects]),
      step: (name: string, effects: Effects) => call("step", [name], effects),
    };
    const end = await endOf(async () => (await this.#load)(job, context));
    // What it does not wait for counts too.
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    this.#run = 0;
    this.#post({ kind: "ended", run, end });
  }

  /** The call whose effects were given this transaction. Where that was none the worker refuses it. */
  #callOf(tx: object | undefined): number | undefined {
    return tx && (this.#within.get(tx) ?? 0);
  }

  #call(run: number, name: CallName, values: readonly unknown[], effects?: Effects): Promise<unknown> {
    // Somebody else's attempt may be here by now.
    if (run !== this.#run) return handled(Promise.reject(isOver(name)));
    let made = 0;
    const done: Promise<unknown> = this.#calls
      .make((call) => {
        made = call;
        if (effects) this.#effects.set(call, effects);
        this.#send({ kind: "call", run, call, name, values });
      })
      .finally(() => {
        this.#effects.delete(made);
        this.#underWay.delete(done);
      });
    this.#underWay.add(done);
    return handled(done);
  }

  async #write(within: number): Promise<void> {
    const run = this.#run;
    const effects = this.#effects.get(within);
    const query = (...values: readonly unknown[]): Promise<unknown> =>
      this.#calls.make((call) => this.#send({ kind: "query", run, call, within, values }));
    // Of a client of `pg` only this goes to and fro.
    const tx = { query } as unknown as Transaction;
    this.#within.set(tx, within);
    const end = await endOf(async () => effects?.(tx));
    this.#post({ kind: "wrote", run, call: within, end });
  }

  // What cannot be cloned is what the handler returned.
  #post(message: Extract<FromIsolate, { readonly end: End }>): void {
    try {
      this.#send(message);
    } catch (cause) {
      const error = new KeylineError("NOT_SERIALIZABLE", `What the handler returned cannot leave its isolate: ${String(cause)}`, { cause });
      this.#send({ ...message, end: { error: sendable(error) } });
    }
  }
}

function progress(call: Call, value: unknown): void {
  toJson("the progress of a job", value, 4_096);
  call("progress", [value]).catch(() => undefined);
}

/** A call that fails ends nobody here, also where its handler does not wait for it. */
function handled(call: Promise<unknown>): Promise<unknown> {
  call.catch(() => undefined);
  return call;
}

function isOver(what: string): KeylineError {
  return new KeylineError("LEASE_LOST", `${what} was called when the attempt had ended that it belongs to: it was left out`);
}

async function load(handler: string): Promise<Handler> {
  const module = (await import(handler)) as { readonly handler?: unknown; readonly default?: unknown };
  const exported = module.handler ?? module.default;
  if (typeof exported === "function") return exported as Handler;
  throw new KeylineError("INVALID_HANDLER", "it exports no handler, which has to be a function, under the name handler or by default");
}

async function endOf(work: () => Promise<unknown>): Promise<End> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: sendable(error) };
  }
}

const waiting: ToIsolate[] = [];
let isolated: Isolated | undefined;
const { handler, send } = connect((message) => {
  if (isolated) isolated.listen(message);
  else waiting.push(message);
});
isolated = new Isolated(handler, send);
for (const message of waiting.splice(0)) isolated.listen(message);
