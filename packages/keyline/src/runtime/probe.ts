/*
 * DESIGN. The seam between what Keyline does and whoever wants to know of it (telemetry/, metrics/). Each Keyline has one, and all that sends or runs something looks at one property of it: where
 * nobody asked, that is all that telemetry costs. Nothing is made for it then, and nothing travels with what is sent.
 *
 * A trace is a text that travels with a job, a message or an event, and is known to nobody but the probe: what a propagator writes, a `traceparent` by itself or an object as JSON
 * where there is more. Jobs carry it in the member `trace` of their element and in the column `trace` of their row, messages and entries in a field of that name.
 */
import { Counters } from "./counters.ts";

/** What is told of things that are sent and run. What it is given to do it does at once, and once. */
export interface Probe {
  /** Sends, with the trace that is to travel along. */
  send<Result>(sent: Sent, send: (trace: string | undefined) => Promise<Result>): Promise<Result>;
  /** Somebody has got what he asked for himself: no handler runs, and nobody knows when he is done with it. */
  receive(received: Received): void;
  /** Runs a handler. How it ended is told by `ended`, which goes on with `then`. */
  process(taken: Taken, run: (ended: Ended) => void): void;
  /** Commits the ends of things that are processed, as their handler asks; `within` binds what the handler gave to run in that to where it was given. */
  settle<Result>(of: readonly object[], settle: (within: Within) => Promise<Result>): Promise<Result>;
  /** What became of one that was processed is there to stay. */
  settled(of: object, outcome: SettledBy, error: Error | undefined): void;
}

export interface Sent {
  /** Undefined where they are several. */
  readonly place: string | undefined;
  /** Undefined where it is no batch. */
  readonly count: number | undefined;
}

export interface Received {
  readonly place: string;
  readonly isBatch: boolean;
  readonly ids: readonly string[];
  /** What came with each, where something did. */
  readonly traces: readonly (string | undefined)[];
}

export interface Taken extends Received {
  /** In whose name it is read, where there are several. */
  readonly group?: string | undefined;
  /** Of one that is no batch: 1 for the first. */
  readonly attempt?: number | undefined;
  /** By which each is known to `settle` and `settled`; empty where nothing is settled. */
  readonly of: readonly object[];
}

/** A verdict (work/verdict.ts); `lost` where it was not this process's to end. */
export type SettledBy = "settle" | "drop" | "yield" | "retry" | "bury" | "lost";

export type Ended = (error: Error | undefined, then: () => void) => void;

export type Within = <Work extends (...args: never[]) => unknown>(work: Work) => Work;

/** The seam of one Keyline. */
export class Seam {
  readonly counters = new Counters();
  #find: (() => Probe | undefined) | undefined;

  /** Undefined where nobody wants to know: looked at for each thing that is sent or run. */
  get probe(): Probe | undefined {
    return this.#find?.();
  }

  get isOpen(): boolean {
    return this.#find !== undefined;
  }

  /** `find` returns the probe, and undefined as long as nobody hears it. */
  open(find: () => Probe | undefined): void {
    this.#find = find;
  }

  close(): void {
    this.#find = undefined;
  }
}

const seams = new WeakMap<object, Seam>();

/** The seam of this Keyline; undefined for what is none. */
export function seamOf(keyline: object): Seam | undefined {
  return seams.get(keyline);
}

export function createSeam(keyline: object): Seam {
  const seam = new Seam();
  seams.set(keyline, seam);
  return seam;
}

/** How many there are of what a caller gave, which is not checked yet. */
export function lengthOf(given: readonly unknown[]): number {
  return Array.isArray(given) ? given.length : 0;
}

/** A trace as JSON, for what is JSON itself. */
export function traceJson(trace: string): string {
  return trace.startsWith("{") ? trace : JSON.stringify(trace);
}

/** A trace as it was found in JSON, whoever wrote it. */
export function readTrace(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "object" && value !== null ? JSON.stringify(value) : undefined;
}
