import { randomUUID } from "node:crypto";
import type { Task } from "../api/task.ts";
import { Refusal } from "../http/refusal.ts";

const mostRunning = 20;
const mostKept = 200;
const keptMs = 3_600_000;

interface TaskProgress {
  readonly done: number;
  readonly total: number | undefined;
}

interface NewTask {
  readonly act: Task["act"];
  readonly target: string;
  readonly who: string;
  readonly total: number | undefined;
  /** Resolves to how many it was done to. */
  work(signal: AbortSignal, onProgress: (progress: TaskProgress) => void): Promise<number>;
  /** What is said of what went wrong. */
  explain(error: unknown): string;
  /** Called once, however it ended. It is told as ended when this has resolved: never rejects. */
  onEnd(end: { readonly count: number; readonly error: string | undefined }): Promise<void>;
}

interface Kept {
  task: Task;
  readonly stopping: AbortController;
  readonly ended: Promise<void>;
}

/** Acts on many, which go on while nobody waits for them. They are of this process: one that dies leaves them half done, as its audit entry without an end says. */
export class Tasks {
  readonly #kept = new Map<string, Kept>();

  /** Begins one. Throws a refusal when too many go on. */
  start(what: NewTask): Task {
    const { act, target, who, total } = what;
    this.checkRoom();
    const id = randomUUID();
    const task: Task = {
      id,
      act,
      target,
      who,
      state: "running",
      done: 0,
      total: total ?? null,
      startedAt: Date.now(),
      endedAt: null,
      error: null,
    };
    const stopping = new AbortController();
    const kept: Kept = { task, stopping, ended: Promise.resolve().then(() => this.#run(kept, what)) };
    this.#kept.set(id, kept);
    return task;
  }

  /** Throws a refusal where no other may begin: before anything is written of it. */
  checkRoom(): void {
    this.#forgetOld();
    const running = [...this.#kept.values()].filter(({ task }) => task.state === "running").length;
    if (running < mostRunning) return;
    throw new Refusal({
      status: 503,
      code: "TOO_MANY_TASKS",
      title: `${mostRunning} acts on many go on already: wait for one, or stop one`,
    });
  }

  /** The newest first. */
  list(): Task[] {
    this.#forgetOld();
    return [...this.#kept.values()].map(({ task }) => task).toReversed();
  }

  get(id: string): Task {
    return this.#find(id).task;
  }

  /** Stops it between two pages, and resolves when it has ended. What was done stays done. */
  async stop(id: string): Promise<Task> {
    const kept = this.#find(id);
    kept.stopping.abort(new Error("stopped"));
    await kept.ended;
    return kept.task;
  }

  async close(): Promise<void> {
    const all = [...this.#kept.values()];
    for (const { stopping } of all) stopping.abort(new Error("The console closes"));
    await Promise.all(all.map(({ ended }) => ended));
  }

  async #run(kept: Kept, { work, explain, onEnd }: NewTask): Promise<void> {
    const { signal } = kept.stopping;
    const note = ({ done, total }: TaskProgress): void => {
      kept.task = { ...kept.task, done, total: total ?? kept.task.total };
    };
    let end: Pick<Task, "state" | "done" | "error">;
    let reason: string | undefined;
    try {
      end = { state: "done", done: await work(signal, note), error: null };
    } catch (error) {
      reason = signal.aborted ? "it was stopped" : explain(error);
      end = signal.aborted
        ? { state: "stopped", done: kept.task.done, error: null }
        : { state: "failed", done: kept.task.done, error: reason };
    }
    await onEnd({ count: end.done, error: reason });
    kept.task = { ...kept.task, ...end, endedAt: Date.now() };
  }

  #find(id: string): Kept {
    const kept = this.#kept.get(id);
    if (kept) return kept;
    const detail = "Tasks are of the process that began them, and are kept for an hour after their end";
    throw new Refusal({ status: 404, code: "UNKNOWN_TASK", title: "There is no such task", detail });
  }

  #forgetOld(): void {
    const ended = [...this.#kept.values()].filter(({ task }) => task.state !== "running");
    const surplus = Math.max(0, this.#kept.size - mostKept);
    for (const [index, { task }] of ended.entries()) {
      if (index < surplus || (task.endedAt ?? 0) < Date.now() - keptMs) this.#kept.delete(task.id);
    }
  }
}
