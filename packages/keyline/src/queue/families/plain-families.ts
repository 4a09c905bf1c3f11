/*
 * DESIGN. A family of plain queues is in as many slots as it has queues, and a step on the server is in one. So everything that crosses from one slot to another is written down in the
 * first one, is done as often as need be in the second one, where it counts once, and is crossed out in the first one afterwards. scripts/family.lua lists what is kept.
 *
 *   add      plain-family-adder.ts: the rows of all children, and of what is below them, are staged in the slot of the parent's queue, page by page, where nobody sees them; then one step
 *            adds them, and has the parent rest on the schedule (family-commit.lua). _The process dies before it:_ the rows go within an hour. _After it:_ all of the family is there.
 *   bring    family-mover.ts: children go from there to their queues. The slot of the parent keeps their rows until they have ended. The slot of the child knows each that has come by its
 *            mark, so it is added once. A child that is a parent is added as in `add`, with the rows of what is below it.
 *   end      the step that ends a child (tie-family.lua; cancelled.lua where no worker has it) writes its outcome in its own slot.
 *   tell     family-carrier.ts: outcomes are taken for two seconds, brought to the slot of the parent (family-apply.lua), where each counts once, and crossed out. In the step by which the
 *            last of them counts the parent goes to the queue (release.lua); it is the only one in which it can, so it does once. A parent that is to die gets the reason into
 *            its element, and the worker that takes it makes it a dead letter: so all that goes with a death is as ever.
 *   forget   the step that ends the parent forgets all there is of it, or leaves word what is to be done first.
 *
 * _The process dies in `bring` or `tell`, or an answer gets lost:_ the duty of any worker of that queue goes on (family-duty.ts), within seconds, and does at most the same again.
 * _A child has run and ended before it is brought a second time:_ its mark is known until five minutes after its parent knew, and whoever brings it read a minute ago at the most, by the
 * clock of the child's server, that it had not ended.
 * _A server dies, and a replica takes over that has not had the last of it; or one slot of a cluster is lost alone:_ the epochs of all servers that have something of a family are noted with
 * it, as they were before its children were brought (epoch-book.ts). When one is another, all children that have not ended are brought again: those that were lost are added again, the others
 * are known. Where the slot of the parent has forgotten that it was told, the mark of the child says that it was, and it is told again. Where it was lost itself nobody waits.
 * _Valkey loses everything:_ so are the jobs of plain queues, all of a family.
 * _Children are added while the parent runs:_ under a name that the family knows, in the same step; so a handler that is run again does not add them again. That step looks whether the worker
 * still holds the job: behind its end there would be nobody to forget the family.
 * _A parent parks while its last child ends:_ both are steps in the slot of the parent (park.lua, family-apply.lua): whichever comes second lets it go.
 */
import { withFields, type Logger } from "../../runtime/logger.ts";
import { toError } from "../../runtime/errors.ts";
import type { ValkeyConnection } from "../../valkey/client/connection.ts";
import type { DueFamily } from "../../valkey/queue/families.ts";
import { QueueKeys } from "../../valkey/queue/keys.ts";
import { QueueStore } from "../../valkey/queue/queue-store.ts";
import { Gatekeeper } from "../gates/gatekeeper.ts";
import { Canceller } from "../jobs/canceller.ts";
import type { AddWatch } from "../events/add-watch.ts";
import { cancelBelow } from "./cancel-below.ts";
import type { ChildEnd } from "./child-end.ts";
import { FamilyCarrier } from "./family-carrier.ts";
import { FamilyMover } from "./family-mover.ts";

/** A queue of this process. */
interface KnownQueue {
  readonly store: QueueStore;
  readonly canceller: Canceller;
  readonly adds: AddWatch;
}

interface PlainFamiliesParts {
  readonly prefix: string;
  readonly commands: ValkeyConnection;
  readonly logger: Logger;
  /** Undefined for a queue that this process has not: what is to be done there is done all the same. */
  readonly find: (queue: string) => KnownQueue | undefined;
}

const duePage = 100;
/** For so long nobody else looks after a family. */
const lookEveryMs = 10_000;
/** So long after a parent was cancelled nobody brings its children any more: whoever had read before that they were to be brought has had a minute for it (family-mover.ts). */
const unbroughtMs = 90_000;
const defaultLeaseMs = 10_000;

/** The families of all plain queues of one Keyline. */
export class PlainFamilies {
  readonly mover: FamilyMover;
  readonly #parts: PlainFamiliesParts;
  readonly #stores = new Map<string, QueueStore>();
  readonly #carriers = new Map<string, FamilyCarrier>();
  readonly #underWay = new Set<Promise<void>>();
  #isStopped = false;

  constructor(parts: PlainFamiliesParts) {
    this.#parts = parts;
    this.mover = new FamilyMover({
      storeOf: (queue) => this.storeOf(queue),
      noteAdded: (queue, ids) => parts.find(queue)?.adds.noteAll(ids.map((id) => ({ id, added: true }))),
    });
  }

  storeOf(queue: string): QueueStore {
    const known = this.#parts.find(queue)?.store ?? this.#stores.get(queue);
    if (known) return known;
    const store = new QueueStore(this.#parts.commands, new QueueKeys(this.#parts.prefix, queue));
    this.#stores.set(queue, store);
    return store;
  }

  /** A child of this queue has ended here. */
  noteEnded(queue: string, end: ChildEnd): void {
    if (!this.#isStopped) this.#carrierOf(queue).note(end);
  }

  /** Jobs of this queue were cancelled: some may be children, and some may have children. */
  noteCancelled(queue: string): void {
    void this.#track(async () => {
      if (await this.storeOf(queue).families.areThere()) await this.lookAfter(queue, { isAtOnce: true });
    });
  }

  /** Does what others have left undone: for all that is due of a queue. With `isAtOnce` also what somebody may be at. */
  lookAfter(queue: string, { isAtOnce = false } = {}): Promise<void> {
    return this.#track(async () => {
      await this.#carrierOf(queue).sweep(isAtOnce);
      const { families } = this.storeOf(queue);
      for (let isFull = true; isFull && !this.#isStopped;) {
        const due = await families.due(duePage, lookEveryMs);
        isFull = due.length === duePage;
        for (const one of due) if (!this.#isStopped) await this.#lookAt(queue, one);
      }
    });
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await Promise.all([...this.#underWay, ...[...this.#carriers.values()].map((carrier) => carrier.settled())]);
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.settled();
  }

  async #lookAt(queue: string, { family, queues, epochs, isOwed, ended, endedForMs }: DueFamily): Promise<void> {
    const { families } = this.storeOf(queue);
    try {
      if (ended === "cancelled") {
        const isWhole = await cancelBelow(families, family, {
          storeOf: (one) => this.storeOf(one),
          cancellerOf: (one) => this.#cancellerOf(one),
        });
        // What somebody is about to bring is looked for with the next look.
        if (!isWhole && endedForMs < unbroughtMs) return;
      } else {
        const parent = { queue, family, queues };
        const { text } = await this.mover.epochs(parent);
        if (isOwed || text !== epochs) await this.mover.bring(parent);
      }
      if (ended) await families.forget(family, ended);
    } catch (error) {
      this.#parts.logger.debug({ error: toError(error).message, queue, family }, "a family could not be looked after; it is tried again");
    }
  }

  #cancellerOf(queue: string): Canceller {
    const known = this.#parts.find(queue);
    if (known) return known.canceller;
    const store = this.storeOf(queue);
    const logger = withFields(this.#parts.logger, { queue });
    const gatekeeper = new Gatekeeper(store, { table: undefined, leaseMs: defaultLeaseMs, limits: undefined, logger });
    // Whoever cancelled the parent has counted; of this queue nothing is counted here.
    return new Canceller(store, { gatekeeper, record: undefined, onCancelled: () => this.noteCancelled(queue), count: () => undefined });
  }

  #carrierOf(queue: string): FamilyCarrier {
    const known = this.#carriers.get(queue);
    if (known) return known;
    const carrier = new FamilyCarrier(queue, { storeOf: (one) => this.storeOf(one), logger: this.#parts.logger });
    this.#carriers.set(queue, carrier);
    return carrier;
  }

  #track(work: () => Promise<void>): Promise<void> {
    const { logger } = this.#parts;
    const done = work()
      .catch((error: unknown) => logger.debug({ error: toError(error).message }, "families could not be looked after; it is tried again"))
      .finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
    return done;
  }
}
