import type { Door } from "../../runtime/door.ts";
import type { Seam } from "../../runtime/probe.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { AddRequest } from "../add/add-request.ts";
import type { JobOutlet } from "../add/job-outlet.ts";
import type { AddWatch } from "../events/add-watch.ts";
import type { AddOptions } from "../options.ts";

/** A queue as families know it. */
export interface Member {
  readonly queue: string;
  /** Of its Keyline. */
  readonly door: Door;
  readonly seam: Seam;
  readonly store: QueueStore;
  /** Only of a transactional queue. */
  readonly outlet: JobOutlet | undefined;
  readonly adds: AddWatch;
  check(data: unknown, options: AddOptions): AddRequest | Promise<AddRequest>;
}

const members = new WeakMap<object, Member>();
const byName = new WeakMap<Door, Map<string, Member>>();

/** A queue of which only the name is known, as a handler in an isolate gives it. */
export class NamedQueue {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** Makes the queue one that children can be added to. */
export function registerMember(queue: object, member: Member): void {
  members.set(queue, member);
  const named = byName.get(member.door) ?? new Map<string, Member>();
  byName.set(member.door, named.set(member.queue, member));
}

/** Undefined for what is no queue, and for a name that the Keyline behind this door has no queue of. */
export function memberOf(queue: unknown, door: Door): Member | undefined {
  if (queue instanceof NamedQueue) return byName.get(door)?.get(queue.name);
  return typeof queue === "object" && queue !== null ? members.get(queue) : undefined;
}
