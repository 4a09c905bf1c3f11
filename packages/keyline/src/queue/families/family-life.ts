import { isOutage } from "../../postgres/client/failures.ts";
import type { ChildRow } from "../../postgres/job/family-table.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { randomTag } from "../../runtime/ids.ts";
import { parseJson } from "../../runtime/json.ts";
import { Discard } from "../../work/outcome.ts";
import type { Child } from "../options.ts";
import { JobCancelledError } from "../results/job-errors.ts";
import type { Pauses } from "../steps/pauses.ts";
import { notHeld } from "../steps/step-names.ts";
import type { Steps, StepsParts } from "../steps/steps.ts";
import { checkUngrouped, deathOf, readTree, sendChildren } from "./family-tree.ts";
import type { ChildrenOptions, ChildrenPage, ChildResult, Familial } from "./familial.ts";
import type { QueueFamilies } from "./queue-families.ts";

const pageSize = 500;

/** The family of one job, in one run of its handler. */
export class FamilyLife<Data> implements Familial {
  readonly #parts: StepsParts<Data>;
  readonly #pauses: Pauses<Data>;
  readonly #steps: Steps<Data>;
  readonly #families: QueueFamilies;

  constructor(
    parts: StepsParts<Data>,
    { pauses, steps, families }: { readonly pauses: Pauses<Data>; readonly steps: Steps<Data>; readonly families: QueueFamilies },
  ) {
    this.#parts = parts;
    this.#pauses = pauses;
    this.#steps = steps;
    this.#families = families;
  }

  async page(after: string): Promise<ChildrenPage> {
    const { job, isSettled } = this.#parts;
    const rows = await this.#families.adder.table.children(job.queue, job.id, { after: Number(after), limit: pageSize });
    // Somebody else has ended it: an attempt that is in vain must not take a family that is over for one without children.
    if (!rows && !isSettled()) throw (await this.#parts.isCancelled()) ? new JobCancelledError(job) : notHeld(job);
    if (!rows) return { results: [], next: undefined };
    return { results: rows.map(toResult), next: rows.length < pageSize ? undefined : String(rows.at(-1)?.number) };
  }

  add(children: readonly Child[], options: ChildrenOptions): Promise<void> {
    return sendChildren(this.#families.member, children, (trace) => this.#add(children, options, trace));
  }

  async #add(children: readonly Child[], { tx, name, onChildDead }: ChildrenOptions, trace: string | undefined): Promise<void> {
    const { held, job } = this.#parts;
    const { element } = held;
    if (!element) throw notHeld(job);
    checkUngrouped(job);
    // Of another transaction nobody knows whether its COMMIT is remembered as a step, or comes at all.
    if (tx === undefined || name !== undefined || !this.#steps.isWithin(tx)) throw needsStep();
    const death = onChildDead === undefined ? undefined : deathOf(onChildDead);
    const nodes = await readTree(this.#families.member, { id: job.id, children, trace });
    this.#families.releaser.expect();
    if (!this.#steps.isWithin(tx)) throw needsStep();
    await this.#families.adder.addTo({ queue: job.queue, element }, { nodes, death, tx });
  }

  /** Goes on where all children have ended, or ends the attempt until then. */
  async ended(): Promise<void> {
    const { held, job, record } = this.#parts;
    await this.#parts.checkHeld();
    const { row } = held;
    if (!row) throw notHeld(job);
    const tag = randomTag(12);
    const { database } = record.table;
    for (;;) {
      try {
        return await this.#end(await this.#families.adder.table.await(job.queue, row, tag));
      } catch (error) {
        if (!isOutage(error) || job.signal.aborted || database.isClosing) throw error;
        await database.whenAvailable(job.signal);
      }
    }
  }

  async #end(answer: "done" | "dead" | "parked" | "lost"): Promise<void> {
    const { job } = this.#parts;
    switch (answer) {
      case "done":
        return;
      case "dead": {
        const { queue, id, reason } = (await this.#families.adder.table.parents.deadChild(job.queue, job.id)) ?? {};
        // The words of keyline.release_family.
        throw new Discard(`Its child ${id ?? "?"} of queue ${queue ?? "?"} is dead: ${reason ?? ""}`);
      }
      case "lost":
        throw (await this.#parts.isCancelled()) ? new JobCancelledError(job) : notHeld(job);
      case "parked": {
        const parked = await this.#pauses.parked(`Job ${job.id} waits for its children`);
        this.#families.releaser.noteParked(job.queue, job.id);
        throw parked;
      }
    }
  }
}

function needsStep(): KeylineError {
  const how = 'step("name", (tx) => job.addChildren(children, { tx }))';
  return new KeylineError(
    "INVALID_OPTION",
    `addChildren needs the transaction of a step, so that a handler that is run again does not add them again: ${how}`,
  );
}

function toResult({ queue, id, outcome, value, reason }: ChildRow): ChildResult {
  return { queue, id, outcome: outcome ?? "open", value: value === null ? undefined : parseJson(value), reason: reason ?? undefined };
}
