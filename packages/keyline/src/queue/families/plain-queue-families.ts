import { KeylineError } from "../../runtime/errors.ts";
import type { AddRequest } from "../add/add-request.ts";
import type { Job } from "../job.ts";
import type { AddResult } from "../options.ts";
import type { HeldJob } from "../worker/held-jobs.ts";
import type { Familial } from "./familial.ts";
import { checkParent, deathOf, readTree } from "./family-tree.ts";
import { registerMember, type Member } from "./member.ts";
import { PlainFamilyAdder } from "./plain-family-adder.ts";
import { PlainFamilyLife } from "./plain-family-life.ts";
import type { PlainFamilies } from "./plain-families.ts";
import type { NewChildren, OwnFamilies } from "./queue-families.ts";

/** The families of one plain queue's jobs. */
export class PlainQueueFamilies implements OwnFamilies {
  readonly families: PlainFamilies;
  readonly #adder: PlainFamilyAdder;
  #member: Member | undefined;

  constructor(families: PlainFamilies) {
    this.families = families;
    this.#adder = new PlainFamilyAdder(families);
  }

  join(queue: object, member: Member): void {
    this.#member = member;
    registerMember(queue, member);
  }

  async add(request: AddRequest, { children, onChildDead, tx }: NewChildren): Promise<AddResult> {
    const root = this.#joined;
    if (tx !== undefined)
      throw new KeylineError(
        "NOT_TRANSACTIONAL",
        `Queue ${root.queue} is not transactional: make it with { transactional: true } to add within a transaction`,
      );
    const death = deathOf(onChildDead);
    checkParent(request, "add: the job");
    const nodes = await readTree(root, { id: request.id, children, trace: request.trace });
    return this.#adder.add({ root, request, death, nodes });
  }

  /** The family of a job in one run of its handler. */
  life(held: HeldJob<unknown>, job: Job<unknown>, leaseName: () => string): Familial {
    return new PlainFamilyLife(held, job, { member: this.#joined, adder: this.#adder, leaseName });
  }

  get #joined(): Member {
    if (this.#member) return this.#member;
    throw new Error("the queue of these families was not made");
  }
}
