import type { TransactionClient } from "../../postgres/client/options.ts";
import type { FamilyAdder } from "./family-adder.ts";
import type { FamilyReleaser } from "./family-releaser.ts";
import { checkParent, deathOf, readTree } from "./family-tree.ts";
import { registerMember, type Member } from "./member.ts";
import type { AddRequest } from "../add/add-request.ts";
import type { AddResult, Child, FamilyOptions } from "../options.ts";

export interface NewChildren {
  readonly children: readonly Child[];
  readonly onChildDead: FamilyOptions["onChildDead"];
  readonly tx: TransactionClient | undefined;
}

/** The families of one queue's jobs. */
export interface OwnFamilies {
  /** The queue is made. */
  join(queue: object, member: Member): void;
  /** Adds a job together with its children. */
  add(request: AddRequest, children: NewChildren): Promise<AddResult>;
}

/** The families of one transactional queue's jobs. */
export class QueueFamilies implements OwnFamilies {
  readonly adder: FamilyAdder;
  readonly releaser: FamilyReleaser;
  #member: Member | undefined;

  constructor(adder: FamilyAdder, releaser: FamilyReleaser) {
    this.adder = adder;
    this.releaser = releaser;
  }

  join(queue: object, member: Member): void {
    this.#member = member;
    registerMember(queue, member);
  }

  get member(): Member {
    if (this.#member) return this.#member;
    throw new Error("the queue of these families was not made");
  }

  async add(request: AddRequest, { children, onChildDead, tx }: NewChildren): Promise<AddResult> {
    const root = this.member;
    const death = deathOf(onChildDead);
    checkParent(request, "add: the job");
    const nodes = await readTree(root, { id: request.id, children, trace: request.trace });
    this.releaser.expect();
    return this.adder.add({ root, request, death, nodes }, tx);
  }
}
