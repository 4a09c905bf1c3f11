import { Attempt } from "../work/attempt.ts";
import type { Tick } from "./schedules/schedule-state.ts";

/** One attempt at a unit of work, as its handler gets it. */
export class Job<Data> extends Attempt {
  /** Unique within its queue; the caller's own or a new one. */
  readonly id: string;
  readonly queue: string;
  readonly data: Data;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** When it was added, in milliseconds since 1970. */
  readonly addedAt: number;
  /** Which tick of which schedule it is; undefined when somebody added it. */
  readonly schedule: Tick | undefined;
  /** The group that it was added with. */
  readonly group: string | undefined;
  /** @internal */
  isOver = false;
  readonly #note: ((job: Job<unknown>, value: unknown) => void) | undefined;

  /** @internal */
  constructor(fields: {
    readonly id: string;
    readonly queue: string;
    readonly data: Data;
    readonly attempt: number;
    readonly addedAt: number;
    readonly schedule: Tick | undefined;
    readonly group: string | undefined;
    readonly noteProgress?: (job: Job<unknown>, value: unknown) => void;
  }) {
    super();
    this.id = fields.id;
    this.queue = fields.queue;
    this.data = fields.data;
    this.attempt = fields.attempt;
    this.addedAt = fields.addedAt;
    this.schedule = fields.schedule;
    this.group = fields.group;
    this.#note = fields.noteProgress;
  }

  /**
   * Says how far the job has come: JSON of up to 4 KiB, for those who look at it or follow the queue's events. It is written at most ten times a second, the last one
   * always, and is gone with the job. Nothing has to wait for it. Throws NOT_SERIALIZABLE, FORBIDDEN_KEY and PAYLOAD_TOO_LARGE at once.
   *
   * @example
   * job.progress({ done: 5, of: 10 });
   */
  progress(value: unknown): Promise<void> {
    // At once, also where nobody waits for what it returns.
    this.#note?.(this, value);
    return Promise.resolve();
  }
}
