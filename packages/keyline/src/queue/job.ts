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
  constructor(fields: {
    readonly id: string;
    readonly queue: string;
    readonly data: Data;
    readonly attempt: number;
    readonly addedAt: number;
    readonly schedule: Tick | undefined;
    readonly group: string | undefined;
  }) {
    super();
    this.id = fields.id;
    this.queue = fields.queue;
    this.data = fields.data;
    this.attempt = fields.attempt;
    this.addedAt = fields.addedAt;
    this.schedule = fields.schedule;
    this.group = fields.group;
  }
}
