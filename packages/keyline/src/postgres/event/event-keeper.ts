import { Alarm } from "../../runtime/alarm.ts";
import type { Duty } from "../../runtime/duty.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

const everyMs = 3_600_000;
const firstWithinMs = 10_000;
const againMs = 30_000;
const page = 5_000;

const setMaxAge: Statement = {
  name: "keyline-set-max-age",
  text: `INSERT INTO keyline.stream (name, max_age) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET max_age = excluded.max_age WHERE stream.max_age IS DISTINCT FROM excluded.max_age`,
};
const ensureWeeks: Statement = {
  name: "keyline-ensure-weeks",
  text: "SELECT keyline.ensure_event_week(now()), keyline.ensure_event_week(now() + interval '7 days')",
};
const dropExpired: Statement = { name: "keyline-drop-expired-events", text: "SELECT keyline.drop_expired_events($1) AS is_unfinished" };
const dropOnces: Statement = { name: "keyline-drop-onces", text: "DELETE FROM keyline.event_once WHERE until < now()" };

/**
 * Keeps the record of transactional streams in order, once an hour: makes the partition of the week that comes, drops what retention does
 * not keep, and forgets idempotency keys whose time is over. What was in use is tried again soon: where transactions follow each other without
 * a pause, most tries find somebody. Any number of processes may do it.
 */
export class EventKeeper implements Duty {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #maxAges = new Map<string, number | undefined>();
  readonly #alarm = new Alarm(() => this.#run(), { mayEnd: true });
  #isStopped = false;

  constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  start(): void {
    this.#alarm.set(firstWithinMs * Math.random());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#alarm.stop();
  }

  /** Keeps one more stream's events for so long; for ever where that is undefined. */
  add(stream: string, maxAgeMs: number | undefined): void {
    this.#maxAges.set(stream, maxAgeMs);
    this.#alarm.set(firstWithinMs * Math.random());
  }

  async #run(): Promise<void> {
    try {
      for (const [stream, maxAgeMs] of this.#maxAges) {
        await this.#database.query(setMaxAge, [stream, maxAgeMs ?? null]);
        this.#maxAges.delete(stream);
      }
      await this.#database.query(ensureWeeks, []);
      await this.#database.query(dropOnces, []);
      for (let isUnfinished = true; isUnfinished && !this.#isStopped;) {
        const [row] = await this.#database.query<{ is_unfinished: boolean | null }>(dropExpired, [page]);
        isUnfinished = row?.is_unfinished === true;
        if (row?.is_unfinished === null) this.#alarm.set(againMs);
      }
    } catch (error) {
      const isNotUsed = error instanceof KeylineError && error.code === "NOT_MIGRATED";
      if (!isNotUsed && !this.#isStopped)
        this.#logger.warn({ error: toError(error).message }, "old events could not be dropped; it is tried again");
      this.#alarm.set(60_000);
    }
    this.#alarm.set(everyMs);
  }
}
