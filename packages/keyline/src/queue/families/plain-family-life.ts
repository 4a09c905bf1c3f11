import { familyOf, headOf } from "./family-element.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { parseJson } from "../../runtime/json.ts";
import { checkKey } from "../../runtime/names.ts";
import { firstSize, nextSize } from "../../valkey/queue/families.ts";
import { Discard } from "../../work/outcome.ts";
import type { Job } from "../job.ts";
import type { Child } from "../options.ts";
import { Parked } from "../steps/parked.ts";
import { notHeld } from "../steps/step-names.ts";
import type { HeldJob } from "../worker/held-jobs.ts";
import { checkUngrouped, deathOf, readTree, sendChildren } from "./family-tree.ts";
import type { ChildrenOptions, ChildrenPage, ChildResult, Familial } from "./familial.ts";
import type { Member } from "./member.ts";
import type { PlainFamilyAdder } from "./plain-family-adder.ts";

interface PlainLifeParts {
  readonly member: Member;
  readonly adder: PlainFamilyAdder;
  readonly leaseName: () => string;
}

/** For those who follow events: nobody knows when its children will have ended. */
const restsMs = 86_400_000;

/** The family of one job of a plain queue, in one run of its handler. */
export class PlainFamilyLife implements Familial {
  readonly #held: HeldJob<unknown>;
  readonly #job: Job<unknown>;
  readonly #parts: PlainLifeParts;
  readonly #names = new Set<string>();

  constructor(held: HeldJob<unknown>, job: Job<unknown>, parts: PlainLifeParts) {
    this.#held = held;
    this.#job = job;
    this.#parts = parts;
  }

  async page(after: string): Promise<ChildrenPage> {
    const [batch = 1, number = 0, size = firstSize] = after === "" ? [] : after.split(":").map(Number);
    const { member, leaseName } = this.#parts;
    const { families } = member.store;
    const { rows, next } = await families.children(this.#family, [batch, number], size);
    // Another worker may have ended it: an attempt that is in vain must not take a family that is over for one without children.
    const isMissing = rows.length === 0 && (this.#held.element?.isParent === true || this.#held.hasFamily);
    if (isMissing && !(await families.hasLease(leaseName()))) throw notHeld(this.#job);
    return { results: rows.flatMap(toResult), next: next && [...next, nextSize(rows)].join(":") };
  }

  add(children: readonly Child[], options: ChildrenOptions): Promise<void> {
    return sendChildren(this.#parts.member, children, (trace) => this.#add(children, options, trace));
  }

  async #add(children: readonly Child[], { tx, name, onChildDead }: ChildrenOptions, trace: string | undefined): Promise<void> {
    const { member, adder, leaseName } = this.#parts;
    const { id, queue } = this.#job;
    this.#checkRuns();
    checkUngrouped(this.#job);
    if (tx !== undefined)
      throw new KeylineError("NOT_TRANSACTIONAL", `Queue ${queue} is not transactional: give addChildren a name, instead of a tx`);
    if (name === undefined) {
      const how = 'job.addChildren(children, { name: "split" })';
      throw new KeylineError(
        "INVALID_OPTION",
        `addChildren needs a name, so that a handler that is run again does not add them again: ${how}`,
      );
    }
    checkKey("name", name);
    if (this.#names.has(name))
      throw new KeylineError("INVALID_OPTION", `Job ${id} of queue ${queue} has added children under the name ${name} in this run`);
    const death = onChildDead === undefined ? undefined : deathOf(onChildDead);
    const nodes = await readTree(member, { id, children, trace });
    this.#checkRuns();
    this.#names.add(name);
    if (nodes.length === 0) return;
    // Also where the answer gets lost: its end sees to them.
    this.#held.hasFamily = true;
    // With the time when it was added: another job may have its id by now.
    const begins = headOf(this.#held.raw);
    const answer = await adder.addTo(member, { family: this.#family, id, nodes, death, name, worker: leaseName(), begins });
    if (answer === "gone") throw notHeld(this.#job);
  }

  /** Goes on where all children have ended, or ends the attempt until then. */
  async ended(): Promise<void> {
    this.#checkRuns();
    const { isOpen, dead } = await this.#parts.member.store.families.ask(this.#family);
    if (dead !== undefined) throw new Discard(dead);
    if (!isOpen) return;
    this.#held.waits = new Parked(`Job ${this.#job.id} waits for its children`, restsMs);
    throw this.#held.waits;
  }

  get #family(): string {
    const { element } = this.#held;
    if (!element) throw notHeld(this.#job);
    return familyOf(element);
  }

  #checkRuns(): void {
    const { waits, phase } = this.#held;
    if (waits) throw waits;
    if (this.#job.abortReason) throw this.#job.abortReason;
    if (phase !== "running") throw notHeld(this.#job);
  }
}

const row = /^(\S+) (\S+) ([+=])(.*)$/s;

function toResult(text: string): ChildResult[] {
  const [, queue = "", id = "", kind, json = ""] = row.exec(text) ?? [];
  if (queue === "") return [];
  if (kind === "+") return [{ queue, id, outcome: "open", value: undefined, reason: undefined }];
  const { outcome, value, reason } = parseJson(json) as Pick<ChildResult, "outcome" | "value" | "reason">;
  return [{ queue, id, outcome, value, reason }];
}
