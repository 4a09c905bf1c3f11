import { Problem } from "@keyline/gateway";
import { mostWorkers } from "../limits.ts";
import type { WorkerView } from "../snapshot.ts";
import type { OrderTracks } from "./order-tracks.ts";
import { WorkerChild } from "./worker-child.ts";
import type { ToWorker } from "./worker-protocol.ts";

// Long enough to read that the orders of a killed worker were taken over.
const farewellMs = 8_000;

export type WorkerSettings = Omit<Extract<ToWorker, { type: "begin" }>, "type">;

interface Entry {
  readonly child: WorkerChild;
  /** What it held when it was killed. */
  interrupted: number;
  /** When there was nothing left of what it held. */
  relievedAt: number | undefined;
}

/** The worker processes of this server, by the number that each is called by. */
export class Workers {
  readonly #entries = new Map<number, Entry>();
  readonly #tracks: OrderTracks;
  readonly #onChange: () => void;
  #settings: WorkerSettings;
  #lastId = 0;

  constructor(settings: WorkerSettings, tracks: OrderTracks, onChange: () => void) {
    this.#settings = settings;
    this.#tracks = tracks;
    this.#onChange = onChange;
  }

  get labelMs(): number {
    return this.#settings.labelMs;
  }

  /** Applies to labels whose printing begins from now on. */
  setLabelMs(labelMs: number): void {
    this.#settings = { ...this.#settings, labelMs };
    for (const { child } of this.#entries.values()) child.tell({ type: "labelMs", labelMs });
    this.#onChange();
  }

  /** Starts a worker process and returns its number. Throws a 409 problem when there are many already. */
  start(): number {
    const living = [...this.#entries.values()].filter(({ child }) => isAlive(child));
    if (living.length >= mostWorkers) {
      throw new Problem({ title: `There are ${mostWorkers} workers already, which is the most`, status: 409, code: "TOO_MANY_WORKERS" });
    }
    const workerId = ++this.#lastId;
    const child = new WorkerChild(
      workerId,
      { type: "begin", ...this.#settings },
      {
        step: (step) => this.#tracks.noteStep(workerId, step),
        changed: this.#onChange,
        ended: (state) => this.#noteEnd(workerId, state === "stopping"),
      },
    );
    this.#entries.set(workerId, { child, interrupted: 0, relievedAt: undefined });
    this.#onChange();
    return workerId;
  }

  /** Resolves when the worker has finished what it had and is gone. Throws a 404 problem when there is none of that number. */
  async stop(workerId: number): Promise<void> {
    await this.#living(workerId).stop();
  }

  /** Ends the worker's process at once (SIGKILL). Throws a 404 problem when there is none of that number. */
  kill(workerId: number): void {
    this.#living(workerId).kill();
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#entries.values()].filter(({ child }) => isAlive(child)).map(({ child }) => child.stop()));
  }

  views(): WorkerView[] {
    this.#forgetRelieved();
    return [...this.#entries.values()].map(({ child, interrupted }) => {
      const { workerId, state, processed } = child;
      return { workerId, state, processed, interrupted, holds: this.#tracks.heldBy(workerId) };
    });
  }

  /** Where those that live tell Prometheus what they do. */
  metricsPorts(): number[] {
    return [...this.#entries.values()].flatMap(({ child }) => (isAlive(child) ? (child.metricsPort ?? []) : []));
  }

  /** Orders whose worker is gone and that nobody is known to have taken over. */
  interruptedOrders(): number[] {
    const gone = [...this.#entries.values()].filter(({ child }) => !isAlive(child));
    return gone.flatMap(({ child }) => this.#tracks.heldBy(child.workerId));
  }

  isAlive(workerId: number): boolean {
    const entry = this.#entries.get(workerId);
    return entry !== undefined && isAlive(entry.child);
  }

  #living(workerId: number): WorkerChild {
    const child = this.#entries.get(workerId)?.child;
    if (child && isAlive(child)) return child;
    throw new Problem({ title: `There is no worker ${workerId}`, status: 404, code: "WORKER_NOT_FOUND" });
  }

  #noteEnd(workerId: number, wasStopped: boolean): void {
    const entry = this.#entries.get(workerId);
    if (!entry) return;
    if (wasStopped) {
      this.#tracks.releaseAllOf(workerId);
      this.#entries.delete(workerId);
    } else {
      entry.interrupted = this.#tracks.heldBy(workerId).length;
    }
  }

  #forgetRelieved(): void {
    const now = performance.now();
    for (const [workerId, entry] of this.#entries) {
      if (isAlive(entry.child) || this.#tracks.heldBy(workerId).length > 0) continue;
      entry.relievedAt ??= now;
      if (now - entry.relievedAt > farewellMs) this.#entries.delete(workerId);
    }
  }
}

function isAlive({ state }: WorkerChild): boolean {
  return state !== "killed" && state !== "failed";
}
