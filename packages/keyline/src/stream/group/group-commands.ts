/*
 * DESIGN. Of a stream without keys, to end entries and to take others is two commands written together, XACK and XREADGROUP. Everything else
 * goes through one script: ends and hand-overs of streams with keys, entries that are due again, and the read that finds nothing, which has to
 * say where the stream ended at that moment, so that the wait for the next entry misses none.
 */
import { isConnectionError } from "../../valkey/client/connection.ts";
import type { GroupBeat } from "../../valkey/stream/group-leases.ts";
import type { EndOfEntry, GroupLog, HandedEntry, Turn } from "../../valkey/stream/group-log.ts";
import type { Doubt } from "../../work/doubt.ts";
import type { Lease } from "../../work/lease.ts";
import type { Pump } from "../../work/pump.ts";
import type { ExchangeEvents } from "../../work/shift-parts.ts";
import type { Arrivals } from "./arrivals.ts";
import type { HeldEntries } from "./held-entries.ts";
import { HeldEntry, type Disposal } from "./held-entry.ts";
import { isGroupMissing, type Command, type Reconciler } from "./reconciler.ts";

interface GroupCommandsParts<Data> {
  readonly log: GroupLog;
  readonly lease: Lease<GroupBeat>;
  readonly leaseMs: number;
  readonly held: HeldEntries<Data>;
  readonly pump: Pump;
  readonly arrivals: Arrivals;
  readonly doubt: Doubt<HeldEntry<Data>, Command>;
  readonly reconciler: Reconciler<Data>;
  readonly events: ExchangeEvents<HeldEntry<Data>>;
  /** Hands in once more what a command was to end that failed. */
  readonly again: (entry: HeldEntry<Data>, disposal: Disposal) => void;
}

export type Failure = Exclude<Disposal, { readonly kind: "finish" }>;

const mostPending = 10_000;
const finish: Disposal = { kind: "finish" };

/** Sends what an exchange has to say, and follows the answers. */
export class GroupCommands<Data> {
  readonly #parts: GroupCommandsParts<Data>;

  constructor(parts: GroupCommandsParts<Data>) {
    this.#parts = parts;
  }

  /** Ends entries, and takes as many as there are `places` for. */
  endAndTake(ended: readonly HeldEntry<Data>[], places: number): void {
    const { log, arrivals } = this.#parts;
    const isPlain = !log.hasKeys && arrivals.isPlenty && ended.every((entry) => entry.isPlain);
    if (isPlain) this.#sendPlain(ended, places);
    else this.#sendScript(ended, places);
  }

  /** Ends an attempt that failed: the entry is tried again, or is a dead letter. */
  fail(entry: HeldEntry<Data>, failure: Failure): void {
    const { log, lease, pump, arrivals, doubt, again } = this.#parts;
    pump.send(log.fail(lease.name, entry, failure), {
      places: 0,
      answered: ({ end, nextDueMs }) => {
        doubt.noteEnd(entry);
        doubt.noteSuccess("fail");
        this.#noteEnd(entry, end);
        arrivals.expectDue(nextDueMs);
      },
      failed: (error) => {
        entry.isUnsure = true;
        if (isGroupMissing(error) || isConnectionError(error)) {
          again(entry, failure);
          this.#noteFailure("fail", error);
        } else {
          doubt.postpone(entry, error, () => again(entry, failure));
        }
      },
    });
  }

  /** Begins entries that are held now. */
  accept(entries: readonly HandedEntry[]): void {
    if (entries.length === 0) return;
    const { held, events } = this.#parts;
    const taken: HeldEntry<Data>[] = [];
    for (const entry of entries) {
      // A renewal that was late let it be taken once more, from this consumer itself.
      if (held.get(entry.id)) continue;
      const one = new HeldEntry<Data>(entry);
      held.add(one);
      taken.push(one);
    }
    events.taken(taken);
  }

  #sendPlain(ended: readonly HeldEntry<Data>[], places: number): void {
    const { log, lease, arrivals } = this.#parts;
    const ids = ended.map((entry) => entry.id);
    const command = Promise.all([ids.length > 0 ? log.acknowledge(ids) : 0, places > 0 ? log.read(lease.name, places) : []]);
    this.#send(command, { ended, places }, ([acknowledged, read]) => {
      if (read.length < places) arrivals.noteShort();
      // Where some were not pending any more, they were moved to `again` meanwhile.
      if (acknowledged === ids.length) for (const entry of ended) this.#noteEnd(entry, "ended");
      this.accept(read);
      if (acknowledged < ids.length) this.#sendScript(ended, 0);
    });
  }

  #sendScript(ended: readonly HeldEntry<Data>[], places: number): void {
    const { log, lease, leaseMs, arrivals, events } = this.#parts;
    if (places > 0) arrivals.takeDue();
    const command = log.turn(lease.name, { leaseMs, places, mostPending, ended });
    this.#send<Turn | undefined>(command, { ended, places }, (turn) => {
      if (!turn) {
        for (const entry of ended) this.#noteEnd(entry, "taken");
        lease.lose();
        return;
      }
      ended.forEach((entry, index) => this.#noteEnd(entry, turn.ended[index] ?? "ended"));
      arrivals.follow(turn, places);
      this.accept(turn.taken);
      if (places > 0 && turn.taken.length === 0 && arrivals.isEmpty) events.ranEmpty();
    });
  }

  #send<Reply>(
    command: Promise<Reply>,
    { ended, places }: { readonly ended: readonly HeldEntry<Data>[]; readonly places: number },
    follow: (reply: Reply) => void,
  ): void {
    const { pump, doubt, again } = this.#parts;
    pump.send(command, {
      places,
      answered: (reply) => {
        if (ended.length > 0) doubt.noteSuccess("finish");
        if (places > 0) doubt.noteSuccess("take");
        follow(reply);
      },
      failed: (error) => {
        for (const entry of ended) {
          entry.isUnsure = true;
          again(entry, finish);
        }
        this.#noteFailure(ended.length > 0 ? "finish" : "take", error);
      },
    });
  }

  #noteEnd(entry: HeldEntry<Data>, end: EndOfEntry): void {
    const { held, events } = this.#parts;
    held.remove(entry);
    // What is nowhere was trimmed while it ran, or ended by a command whose answer got lost.
    if (end === "taken" && !entry.isUnsure) events.missed(entry);
    else events.ended(entry);
  }

  #noteFailure(command: Command, error: unknown): void {
    const { doubt, reconciler } = this.#parts;
    const isMissing = isGroupMissing(error);
    if (isMissing) reconciler.detach();
    doubt.noteFailure(command, error, { isExpected: isMissing || isConnectionError(error) });
  }
}
