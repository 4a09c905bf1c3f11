import type {
  AddResult,
  CancelResult,
  JobChanges,
  JobsOptions,
  ListedJobs,
  QueuedJob,
  QueueEvent,
  QueueEventGap,
  QueueStatus,
  UpdateResult,
} from "keyline";
import type { Access } from "../access/access.ts";
import { checkName } from "../access/names.ts";
import { allows, type Right, type Visitor } from "../access/token.ts";
import { Problem } from "../server/problem.ts";

/** What the gateway needs of a queue: every `Queue` of Keyline, plain or transactional, fits. */
export interface GatewayQueue {
  readonly name: string;
  add(data: never, options?: object): Promise<AddResult>;
  counts(): Promise<QueueStatus>;
  job(id: string): Promise<QueuedJob | undefined>;
  jobs(options: JobsOptions): ListedJobs;
  cancel(id: string): Promise<CancelResult>;
  promote(id: string): Promise<boolean>;
  update(id: string, changes: JobChanges<never>): Promise<UpdateResult>;
  signal(id: string, name: string, data?: unknown): Promise<boolean>;
  events(options: {
    readonly since?: string;
    readonly signal: AbortSignal;
    readonly onGap: (gap: QueueEventGap) => void;
  }): AsyncIterableIterator<QueueEvent>;
}

/** The queues that there are, and who may do what with them. */
export class QueueAccess {
  readonly #access: Access;
  readonly #byName: ReadonlyMap<string, GatewayQueue>;

  constructor(access: Access, queues: readonly GatewayQueue[]) {
    this.#access = access;
    this.#byName = new Map(queues.map((queue) => [queue.name, queue]));
  }

  /** Those to which a visitor may add. */
  namesFor({ token }: Visitor): string[] {
    return [...this.#byName.keys()].filter((name) => !this.#access.hasKey || allows(token, "queues", name));
  }

  /** Throws a 400, 401, 403 or 404 problem. */
  find(visitor: Visitor, name: string, right: Extract<Right, "queues" | "seeJobs" | "changeJobs">): GatewayQueue {
    checkName("queue", name);
    // First: whoever may not use a queue does not learn whether there is one.
    this.#access.require(visitor, right, name);
    const queue = this.#byName.get(name);
    if (queue) return queue;
    throw new Problem({ title: `There is no queue ${name}`, status: 404, code: "UNKNOWN_QUEUE" });
  }
}
