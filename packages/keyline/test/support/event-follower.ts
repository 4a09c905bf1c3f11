import type { QueueEvent, QueueEventGap } from "keyline";
import type { EitherQueue } from "./either-queue.ts";
import { eventually, type Stage } from "./stage.ts";

/** Follows a queue's events, and keeps what came. */
export class EventFollower {
  readonly events: QueueEvent[] = [];
  readonly gaps: QueueEventGap[] = [];
  readonly order: string[] = [];
  readonly #iteration: AsyncIterableIterator<QueueEvent>;
  readonly #done: Promise<void>;

  constructor(queue: EitherQueue<string>, since?: string) {
    const onGap = (gap: QueueEventGap): void => {
      this.gaps.push(gap);
      this.order.push(`gap: ${gap.reason}`);
    };
    this.#iteration = queue.events(since === undefined ? { onGap } : { since, onGap });
    this.#done = this.#run();
  }

  async #run(): Promise<void> {
    for await (const event of this.#iteration) {
      this.events.push(event);
      this.order.push(event.type);
    }
  }

  /** What became of a job, in short. */
  of(id: string): string[] {
    return this.events.flatMap((event) => ("id" in event && event.id === id && event.type !== "added" ? [event.type] : []));
  }

  async stop(): Promise<void> {
    await this.#iteration.return?.();
    await this.#done;
  }
}

/** Resolves when what becomes of jobs is told. */
export async function untilTold({ valkey, prefix }: Stage, queue: { readonly name: string }): Promise<void> {
  await eventually("it is told", async () => (await valkey.hget(`${prefix}:{${queue.name}}:feed:state`, "ready")) === "1");
}
