import { Alarm } from "../../runtime/alarm.ts";
import { performance } from "../../runtime/clock.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import { toJson } from "../../runtime/json.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { Duty } from "../../runtime/duty.ts";

interface Progress {
  readonly id: string;
  json: string;
  writtenAt: number;
  isWritten: boolean;
}

const maxBytes = 4_096;
const everyMs = 100;
const againMs = 500;
const page = 100;
// What a worker leaves behind that dies goes by itself.
const keptMs = 86_400_000;

/** The duty that writes how far jobs have come: at most ten times a second for each, and the last one always. */
export class ProgressWriter implements Duty {
  readonly #store: QueueStore;
  readonly #queue: string;
  readonly #logger: Logger;
  readonly #running = new Map<object, Progress>();
  readonly #alarm = new Alarm(() => this.#write());

  constructor(store: QueueStore, { queue, logger }: { readonly queue: string; readonly logger: Logger }) {
    this.#store = store;
    this.#queue = queue;
    this.#logger = logger;
  }

  start(): void {
    // It is told when there is something to write.
  }

  stop(): Promise<void> {
    return this.#alarm.stop();
  }

  /** `attempt` is at work on the job. Throws NOT_SERIALIZABLE, FORBIDDEN_KEY and PAYLOAD_TOO_LARGE. */
  note(attempt: object, id: string, value: unknown): void {
    const json = toProgressJson(`the progress of job ${id} of queue ${this.#queue}`, value);
    const known = this.#running.get(attempt);
    if (known) Object.assign(known, { json, isWritten: false });
    else this.#running.set(attempt, { id, json, writtenAt: -Infinity, isWritten: false });
    this.#alarm.set(Math.max(0, (known?.writtenAt ?? -Infinity) + everyMs - performance.now()));
  }

  /** The attempt is over: what is not written yet is now, before its end is. Returns whether there is something to forget with the job. */
  end(attempt: object): boolean {
    const progress = this.#running.get(attempt);
    if (!progress) return false;
    this.#running.delete(attempt);
    if (!progress.isWritten) void this.#send([progress]);
    return true;
  }

  async #write(): Promise<void> {
    const now = performance.now();
    const due: Progress[] = [];
    let nextMs = Infinity;
    for (const progress of this.#running.values()) {
      if (progress.isWritten) continue;
      const ms = progress.writtenAt + everyMs - now;
      if (ms <= 0) due.push(progress);
      else nextMs = Math.min(nextMs, ms);
    }
    if (nextMs < Infinity) this.#alarm.set(nextMs);
    for (let first = 0; first < due.length; first += page) await this.#send(due.slice(first, first + page));
  }

  async #send(due: readonly Progress[]): Promise<void> {
    for (const progress of due) Object.assign(progress, { writtenAt: performance.now(), isWritten: true });
    try {
      await this.#store.events.progress(
        due.map(({ id, json }) => [id, json]),
        keptMs,
      );
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "the progress of jobs could not be written; it is soon");
      for (const progress of due) progress.isWritten = false;
      this.#alarm.set(againMs);
    }
  }
}

function toProgressJson(subject: string, value: unknown): string {
  const json = toJson(subject, value, Infinity);
  const bytes = Buffer.byteLength(json);
  if (bytes <= maxBytes) return json;
  throw new KeylineError("PAYLOAD_TOO_LARGE", `The data for ${subject} takes ${bytes} bytes, more than the ${maxBytes} allowed: say less`);
}
