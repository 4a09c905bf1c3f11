/*
 * DESIGN. An isolated handler runs in a thread or a process of its own, one attempt at a time. What it does goes to and fro as messages, as structured clones:
 *
 *   to the isolate    run: an attempt begins     abort: its signal is aborted     answer: to a call     effects: the function of that call is to run, in a transaction
 *   from it           ready, invalid: the file was loaded, or not     done, failed: the attempt has ended     call: of its job or its context     query: within effects     wrote: the function ended
 *
 * Whatever a message is about has the number of its attempt or of its call, so that what comes late belongs to nothing any more.
 */
import { KeylineError, type ErrorCode } from "../../runtime/errors.ts";
import { Discard, Snooze } from "../../work/outcome.ts";
import { JobCancelledError } from "../results/job-errors.ts";
import type { Tick } from "../schedules/schedule-state.ts";

/** What a job is made of on the other side. */
interface JobFields {
  readonly id: string;
  readonly queue: string;
  readonly data: unknown;
  readonly attempt: number;
  readonly addedAt: number;
  readonly schedule: Tick | undefined;
  readonly group: string | undefined;
}

/** An error on its way. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | undefined;
  /** Whether it is one of Keyline's. */
  readonly isOurs: boolean;
  /** Of a Snooze. */
  readonly ms: number | undefined;
  /** Of a JobCancelledError. */
  readonly job: { readonly id: string; readonly queue: string } | undefined;
}

/** How something ended. */
export type End = { readonly value: unknown } | { readonly error: SentError };

/** What a handler may call of its job and its context. */
export type CallName = "settle" | "step" | "sleep" | "signalled" | "progress" | "children" | "addChildren" | "childrenEnded";

export type ToIsolate =
  | { readonly kind: "run"; readonly run: number; readonly job: JobFields }
  | { readonly kind: "abort"; readonly run: number; readonly error: SentError }
  | { readonly kind: "answer"; readonly call: number; readonly end: End }
  | { readonly kind: "effects"; readonly call: number };

export type FromIsolate =
  | { readonly kind: "ready" }
  | { readonly kind: "invalid"; readonly error: SentError }
  | { readonly kind: "ended"; readonly run: number; readonly end: End }
  | { readonly kind: "call"; readonly run: number; readonly call: number; readonly name: CallName; readonly values: readonly unknown[] }
  /** A statement of the effects of the call `within`. */
  | { readonly kind: "query"; readonly run: number; readonly call: number; readonly within: number; readonly values: readonly unknown[] }
  | { readonly kind: "wrote"; readonly run: number; readonly call: number; readonly end: End };

export function sendable(thrown: unknown): SentError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { name, message, stack } = error;
  return {
    name,
    message,
    stack,
    code: "code" in error && typeof error.code === "string" ? error.code : undefined,
    isOurs: error instanceof KeylineError,
    ms: error instanceof Snooze ? error.ms : undefined,
    job: error instanceof JobCancelledError ? { id: error.id, queue: error.queue } : undefined,
  };
}

/** The error as it was, as far as anybody can tell the difference. */
export function received(sent: SentError): Error {
  if (sent.name === "Snooze" && sent.ms !== undefined) return new Snooze(sent.ms);
  const error = createError(sent);
  if (sent.stack !== undefined) error.stack = sent.stack;
  return error;
}

function createError({ name, message, code, isOurs, job }: SentError): Error {
  if (name === "Discard") return new Discard(message);
  if (job) return new JobCancelledError(job);
  const error = isOurs
    ? new KeylineError(code as ErrorCode, message)
    : Object.assign(new Error(message), code === undefined ? {} : { code });
  return Object.assign(error, { name });
}

/** Numbers for calls, and what waits for their answers. */
export class Calls {
  readonly #open = new Map<number, { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }>();
  #last = 0;

  make(send: (call: number) => void): Promise<unknown> {
    const call = ++this.#last;
    return this.expect(call, () => send(call));
  }

  /** The end of a call whose number the other side has given. */
  expect(call: number, send: () => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#open.set(call, { resolve, reject });
      try {
        send();
      } catch (error) {
        this.end(call, { error: sendable(error) });
      }
    });
  }

  end(call: number, end: End): void {
    const open = this.#open.get(call);
    this.#open.delete(call);
    if ("error" in end) open?.reject(received(end.error));
    else open?.resolve(end.value);
  }

  endAll(error: Error): void {
    for (const { reject } of this.#open.values()) reject(error);
    this.#open.clear();
  }
}
