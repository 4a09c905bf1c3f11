import type { Logger } from "../../runtime/logger.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { Outcome } from "../../work/outcome.ts";
import type { Runner } from "../../work/runner.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import type { EventTeller } from "../events/event-teller.ts";
import { ProgressWriter } from "../events/progress-writer.ts";
import type { Job } from "../job.ts";
import type { QueuePolicy } from "../options.ts";
import { RateDuty } from "../rates/rate-duty.ts";
import type { Tally } from "../rates/tally.ts";
import { OutcomeSweeper } from "../results/outcome-sweeper.ts";
import { ResultKeeper } from "../results/result-keeper.ts";
import { Audience } from "./audience.ts";
import { AudienceWatch } from "./audience-watch.ts";
import type { HeldJob } from "./held-jobs.ts";
import type { JobRecord } from "./job-record.ts";
import { Ties } from "./ties.ts";

interface TellingParts {
  readonly queue: string;
  readonly store: QueueStore;
  readonly record: JobRecord | undefined;
  readonly policy: QueuePolicy;
  readonly teller: EventTeller;
  readonly tally: Tally;
  readonly logger: Logger;
  readonly leaseName: () => string;
  readonly onError: (error: Error) => void;
}

/** What a worker tells of its attempts to whoever wants to know: results, progress, events and rates. */
export class Telling {
  readonly results: ResultKeeper;
  readonly ties: Ties;
  readonly watch: AudienceWatch;
  readonly duties: readonly ShiftDuty<HeldJob<unknown>, Beat>[];
  readonly #audience = new Audience();
  readonly #progress: ProgressWriter;
  readonly #teller: EventTeller;
  readonly #rates: RateDuty;

  constructor({ queue, store, record, policy, teller, tally, logger, leaseName, onError }: TellingParts) {
    const table = record?.table.outcomes;
    const families = record?.families.adder.table;
    this.results = new ResultKeeper({
      queue,
      keepMs: policy.keepResultMs,
      maxBytes: policy.maxPayloadBytes,
      table,
      families,
      leaseName,
      onError,
    });
    this.ties = new Ties({ results: this.results, audience: this.#audience, teller, hasRecord: record !== undefined });
    this.watch = new AudienceWatch(this.#audience, { store, logger });
    this.#progress = new ProgressWriter(store, { queue, logger });
    this.#teller = teller;
    this.#rates = new RateDuty(tally);
    this.duties = [this.watch, this.#progress, this.#rates, ...(table ? [new OutcomeSweeper(table, logger)] : [])];
  }

  /** The runner, with a word on each attempt that it begins where somebody follows events. */
  over<Data>(runner: Runner<HeldJob<Data>, Job<Data>>): Runner<HeldJob<Data>, Job<Data>> {
    return {
      run: (held, job, finish) => {
        if (this.#audience.followsEvents) this.#teller.tell("started", job.id, { attempt: job.attempt });
        runner.run(held, job, finish);
      },
      room: (occupied) => runner.room(occupied),
      flush: () => runner.flush(),
      watch: (events) => runner.watch?.(events),
      close: async () => runner.close?.(),
    };
  }

  /** What a handler says of how far it has come. */
  readonly noteProgress = (job: Job<unknown>, value: unknown): void => {
    if (!job.isOver) this.#progress.note(job, job.id, value);
  };

  /** Its row has its end, and Valkey is not told of that: else its duty counts it. */
  count(held: HeldJob<unknown>): void {
    this.#rates.noteEnded(held);
  }

  /** The attempt is over: how it ended, as it counts. */
  judge(held: HeldJob<unknown>, outcome: Outcome): Outcome {
    const { attempt } = held;
    held.ranMs = held.tookMs;
    if (attempt) {
      attempt.isOver = true;
      held.hasProgress = this.#progress.end(attempt);
    }
    return this.results.take(held, outcome);
  }
}
