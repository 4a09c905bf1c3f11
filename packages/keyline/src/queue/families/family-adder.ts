/*
 * DESIGN. A family of transactional queues is rows alone: the job of the parent, parked until its children have ended; the jobs of the children; `keyline.family`, what the parent has
 * beside its row; and `keyline.family_child`, each child and what became of it. They are written in one step: within the caller's transaction, or in one statement.
 *
 * - A child's end writes its outcome in the transaction that ends it (`keyline.end_special`). No lock of the parent is taken there, so nothing waits for a family.
 * - Behind that COMMIT somebody asks whether the parent has what it waits for (`keyline.release_family`, family-releaser.ts). Of children that end at the same instant each is asked for behind
 *   its own COMMIT, so whoever asks last sees all.
 * - A parked parent is what a job is that waits for a signal (queue/steps/pauses.ts): its element rests on the schedule, is put back when it is taken too early, and goes when it was woken.
 *
 * _The process dies before the COMMIT:_ nothing is there. _After it:_ the relay delivers children and parent. _Between the end of a child and the question:_ the sweep of any process asks.
 * _Valkey loses its memory:_ the rebuild delivers what waits, parked parents too. _The answer gets lost:_ the row of the parent tells; where that is not there, it may have ended already.
 */
import { KeylineError } from "../../runtime/errors.ts";
import { isAnswerLost, isTaken } from "../../postgres/client/failures.ts";
import type { TransactionClient } from "../../postgres/client/options.ts";
import { nameRefused } from "../../postgres/client/refused-data.ts";
import { noteTransactionId } from "../../postgres/client/transaction.ts";
import { mayBeInTransaction, TransactionWatch } from "../../postgres/client/transaction-watch.ts";
import { checkTransaction } from "../../postgres/client/tx-check.ts";
import type { ChildDeath } from "../../postgres/job/family-calls.ts";
import type { FamilyAnswer, FamilyTable } from "../../postgres/job/family-table.ts";
import type { JobRelay } from "../../postgres/job/job-relay.ts";
import type { JointNotes } from "../../postgres/job/joint-notes.ts";
import { longestRestMs } from "../../postgres/job/job-row.ts";
import type { AddRequest } from "../add/add-request.ts";
import type { Committed } from "../add/committed.ts";
import { toCommitted } from "../add/inserted.ts";
import { placedElement } from "../add/placement.ts";
import type { Element } from "../element.ts";
import type { AddResult } from "../options.ts";
import type { FamilyNode } from "./family-tree.ts";
import { spansOf } from "./joint-delivery.ts";
import type { Member } from "./member.ts";

/** A family that is to be added. */
export interface NewFamily {
  readonly root: Member;
  readonly request: AddRequest;
  readonly death: ChildDeath;
  readonly nodes: readonly FamilyNode[];
}

/** Jobs on their way to Valkey, by their queues. */
type Batches = ReadonlyMap<Member, Committed[]>;

/** Adds families of transactional queues. */
export class FamilyAdder {
  readonly table: FamilyTable;
  readonly #relay: JobRelay;

  constructor(table: FamilyTable, relay: JobRelay) {
    this.table = table;
    this.#relay = relay;
  }

  async add(family: NewFamily, tx: TransactionClient | undefined): Promise<AddResult> {
    const { root, request, death, nodes } = family;
    const { id, dataJson, maxAttempts, keepMs, placement, trace } = request;
    const rootJob = { queue: root.queue, id, dataJson, maxAttempts, keepMs, priority: placement?.priority, death, trace };
    const members = new Set([root, ...nodes.map(({ member }) => member)]);
    const insert = (): Promise<FamilyAnswer> => this.table.add(rootJob, { children: nodes, spans: spansOf(nodes, tx) }, tx);
    const answer = await this.#write(members, tx, async () => {
      try {
        return await insert();
      } catch (error) {
        // Somebody added a job with the id of a child at the same moment: a second look sees it.
        if (isTaken(error)) return tx ? refuseTaken(error) : insert();
        if (tx || !isAnswerLost(error)) throw nameRefused(error, `a family of queue ${root.queue}`, { data: dataJson });
        return this.#findOut(family, error);
      }
    });
    this.#checkTaken(answer, nodes);
    if (answer.answer !== "added") return { id, added: false };
    const batches = new Map([[root, [parkedElement(request, atOf(answer))]]]);
    this.#deliver(addElements(batches, nodes, answer), { tx, answer });
    return { id, added: true };
  }

  /** Adds children below a job that its worker holds, within a transaction. */
  async addTo(
    { queue, element }: { readonly queue: string; readonly element: Element },
    { nodes, death, tx }: { readonly nodes: readonly FamilyNode[]; readonly death: ChildDeath | undefined; readonly tx: TransactionClient },
  ): Promise<void> {
    if (nodes.length === 0) return;
    const spans = spansOf(nodes, tx);
    const answer = await this.#write(new Set(nodes.map(({ member }) => member)), tx, () =>
      this.table.addTo({ ...element, queue }, death, { children: nodes, spans, tx }),
    );
    this.#checkTaken(answer, nodes);
    if (answer.answer === "lost") {
      throw new KeylineError(
        "LEASE_LOST",
        `Job ${element.id} of queue ${queue} has ended, or was given to another worker: no children were added`,
      );
    }
    this.#deliver(addElements(new Map(), nodes, answer), { tx, answer });
  }

  async #write(
    members: ReadonlySet<Member>,
    tx: TransactionClient | undefined,
    insert: () => Promise<FamilyAnswer>,
  ): Promise<FamilyAnswer> {
    const check = tx && checkTransaction(tx);
    if (check) await check;
    for (const { outlet } of members) if (outlet && !outlet.isChecked) await outlet.check({ isInTransaction: tx !== undefined });
    return insert();
  }

  #checkTaken({ answer, taken }: FamilyAnswer, nodes: readonly FamilyNode[]): void {
    if (answer !== "taken") return;
    const node = nodes[(taken ?? 1) - 1];
    const what = `Job ${node?.request.id ?? "?"} of queue ${node?.member.queue ?? "?"}`;
    throw new KeylineError("INVALID_OPTION", `${what} is there already, and cannot become a child: nothing was added`);
  }

  #deliver(batches: Batches, { tx, answer }: { readonly tx: TransactionClient | undefined; readonly answer: FamilyAnswer }): void {
    const { xid } = answer;
    const deliveries = new Map(Object.entries(answer.deliveries ?? {}));
    if (!tx) {
      push(batches, deliveries);
      return;
    }
    if (xid !== null) noteTransactionId(tx, xid);
    const watch = TransactionWatch.on(tx);
    // The end may have come with the same packet as the answer.
    if (!watch || !mayBeInTransaction(tx)) {
      release(batches, deliveries);
      this.#relay.expectRows();
      return;
    }
    watch.onEnd((end) => {
      if (end === "committed") push(batches, deliveries);
      // Part of it may have been rolled back to a savepoint: the relay brings what is there.
      if (end !== "unsure") return;
      release(batches, deliveries);
      this.#relay.expectRows();
    });
  }

  /** The answer got lost. A parent that is there proves that the statement took effect. */
  async #findOut({ root, request }: NewFamily, cause: unknown): Promise<FamilyAnswer> {
    const deadline = AbortSignal.timeout(5_000);
    await this.table.database.whenAvailable(deadline);
    const known = deadline.aborted || request.isOwnId ? undefined : await root.outlet?.table.findOpen([request.id]).catch(() => undefined);
    if (known?.has(request.id)) {
      this.#relay.expectRows();
      return { answer: "added", taken: null, orders: null, added_ms: null, xid: null };
    }
    throw new KeylineError(
      "OUTCOME_UNKNOWN",
      `The connection to PostgreSQL broke while a family was added to queue ${root.queue}: all of it is there, or nothing. Look for the effects of such jobs before you add it again, or add within a transaction of your own`,
      { cause },
    );
  }
}

function refuseTaken(cause: unknown): never {
  throw new KeylineError(
    "INVALID_OPTION",
    "A job with the id of one of the children was added at the same moment, and cannot become a child: nothing was added",
    { cause },
  );
}

/** `deliveries` are those that are to be noted together, by their queues. */
function push(batches: Batches, deliveries: ReadonlyMap<string, string>): void {
  for (const [{ queue, outlet, adds }, jobs] of batches) {
    const delivery = deliveries.get(queue);
    if (delivery !== undefined && outlet) join(jobs, delivery, outlet.notes.joint);
    outlet?.pushCommitted(jobs);
    adds.noteAll(jobs.map(({ id }) => ({ id, added: true })));
  }
}

/** Parents that wait have notes of their own. */
function join(jobs: readonly Committed[], delivery: string, notes: JointNotes): void {
  const within = notes.begin(delivery, jobs.filter(({ parks }) => parks === undefined).length);
  for (const job of jobs) if (job.parks === undefined) job.within = within;
}

function release(batches: Batches, deliveries: ReadonlyMap<string, string>): void {
  for (const { queue, outlet } of batches.keys()) {
    const delivery = deliveries.get(queue);
    if (delivery !== undefined) outlet?.notes.joint.release(delivery);
  }
}

// Where the answer got lost the element of a parent is found on the schedule by nobody, and goes after a day.
function atOf({ added_ms: addedMs }: FamilyAnswer): number {
  return addedMs ?? Date.now();
}

function addElements(batches: Map<Member, Committed[]>, nodes: readonly FamilyNode[], answer: FamilyAnswer): Batches {
  const { orders } = answer;
  const at = atOf(answer);
  nodes.forEach(({ member, request, death }, index) => {
    const job = death === undefined ? toCommitted(request, at, orders?.[index + 1]) : parkedElement(request, at);
    const batch = batches.get(member);
    if (batch) batch.push(job);
    else batches.set(member, [job]);
  });
  return batches;
}

/** The element of a parent that waits for its children: the same text that its row gives, by which whoever wakes it takes it off the schedule. */
function parkedElement({ id, dataJson, maxAttempts, placement, keepMs, isChild, trace }: AddRequest, at: number): Committed {
  const parks = 1;
  const parked = { delayMs: longestRestMs, priority: placement?.priority };
  const job = { id, dataJson, at, maxAttempts, keepMs, isChild, isOwnId: false, isAgain: true, parks, trace, placement: parked };
  const placed = placedElement(job);
  return { id, element: placed.element, parks, place: () => placed };
}
