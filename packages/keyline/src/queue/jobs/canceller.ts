/*
 * DESIGN. Whoever cancels a job finds it wherever it is, and it does not get away:
 *
 *   1 mark    its id goes into the hash `cancelled`, and a gate is set (scripts/cancelled.lua): takes look at the marks, and drop the job. So do retries, promotions
 *             and returns from workers that are gone: a marked job of a plain queue cannot move without being dropped
 *   2 row     on a transactional queue it is cancelled there, in one statement. From then on no settle of it commits; a settle that comes to it learns why. A worker
 *             asks for the rows of all that it takes while there are marks, and drops those that are cancelled
 *   3 known   all workers have looked at the gates: no take is under way any more that does not look at the marks. It is as with a pause (gates/gatekeeper.ts)
 *   4 walk    it is looked for where jobs wait, page by page, and taken out (job-walk.ts). Where a worker holds it the mark gets that worker's name
 *   5 end     a mark of a job that is nowhere goes. The row goes too: until then nobody can add its id again, so that nothing else is taken for it
 *
 * What runs is aborted by its worker (cancel-watch.ts), which hears of marks by a signal and looks again as long as there are any.
 *
 * _A settle at the same time:_ on a transactional queue one of the two comes to the row first. The other one finds it gone: the cancel answers "unknown", the settle
 * throws JOB_CANCELLED. On a plain queue Valkey does one after the other: a job that has ended is nowhere, and one that ends while it is marked ends as its handler
 * says, unless its worker has heard of the mark by then.
 * _A take at the same time:_ before 3 it may take the job, and 4 finds it with its worker. After 3 it drops it.
 * _The worker dies:_ whoever returns its jobs drops those that are marked. On a transactional queue they are returned, and the next worker asks their rows: it asks
 * for all that it takes while there are marks.
 * _A committed row that is still to be delivered:_ the relay and the rebuild do not see it any more. A first delivery that is under way comes to a worker that asks
 * for the row, as its mark stays for a minute where it was not found.
 * _This process dies:_ after 2 the job is cancelled, and its row goes within minutes (cancelled-row-keeper.ts). After 1 on a plain queue it is dropped when it is
 * taken, retried or due within an hour; later the mark goes. The caller got no answer.
 * _An answer gets lost:_ all of it is done once more. What a step has done before, this call knows by its tag, or by the time at which a job was cancelled whose row is gone.
 * _Valkey loses its memory:_ jobs of a plain queue are lost with their marks. The rows of a transactional one are cancelled, and are not delivered again.
 * _An id is used again:_ ids that callers choose are known until the job has ended (set `ids`, or the row), and the step that ends it takes its mark away.
 */
import type { CancelCall } from "../../valkey/queue/cancels.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { cancelAll } from "./cancel-all.ts";
import { CancelSteps, filterOf, type CancelParts, type CancelResult, type Was } from "./cancel-steps.ts";
import type { CancelOptions, JobQuery } from "./job-filter.ts";
import { everywhere } from "./job-walk.ts";

const idPage = 200;

/** Cancels jobs of one queue. */
export class Canceller {
  readonly #steps: CancelSteps;

  constructor(store: QueueStore, parts: CancelParts) {
    this.#steps = new CancelSteps(store, parts);
  }

  async cancel(id: string): Promise<CancelResult> {
    const was = (await this.#cancelNamed([id])).get(id) ?? "unknown";
    if (was !== "unknown" && was !== "dead") this.#steps.count(1);
    return was;
  }

  /** Returns how many were cancelled. */
  async cancelAll(query: JobQuery, { onProgress, signal }: Pick<CancelOptions, "onProgress" | "signal">): Promise<number> {
    let done = 0;
    const note = async (count: number): Promise<void> => {
      done += count;
      this.#steps.count(count);
      if (count > 0) await onProgress?.({ done });
      signal?.throwIfAborted();
    };
    signal?.throwIfAborted();
    const { ids } = query;
    if (!ids) await cancelAll(this.#steps, query, note);
    for (let first = 0; ids && first < ids.length; first += idPage) {
      const was = await this.#cancelNamed(ids.slice(first, first + idPage));
      await note([...was.values()].filter((one) => one !== "dead").length);
    }
    return done;
  }

  async #cancelNamed(ids: readonly string[]): Promise<Was> {
    await this.#steps.ready();
    const call = this.#steps.newCall();
    if (this.#steps.record) return this.#cancelRows(call, ids);
    const was = await this.#steps.insist((isAgain) => this.#cancelPlain(call, ids, isAgain));
    if (was.size > 0) this.#steps.onCancelled(ids);
    return was;
  }

  async #cancelPlain(call: CancelCall, ids: readonly string[], isAgain: boolean): Promise<Was> {
    const { cancels, letters } = this.#steps.store;
    await this.#steps.mark(call, ids);
    await this.#steps.known();
    const was: Was = new Map();
    await this.#steps.takeOut({ call, filter: filterOf(ids), range: everywhere, enough: () => was.size === ids.length, was });
    const missing = ids.filter((id) => !was.has(id));
    if (missing.length === 0 && !isAgain) return was;
    const ends = await cancels.end(call, missing);
    missing.forEach((id, index) => ends[index] && was.set(id, ends[index] as CancelResult));
    for (const { key } of await letters.of(missing.filter((id) => !was.has(id)))) was.set(key.slice(0, key.lastIndexOf("\x1f")), "dead");
    return was;
  }

  async #cancelRows(call: CancelCall, ids: readonly string[]): Promise<Was> {
    const { record, store } = this.#steps;
    if (!record) return new Map();
    await this.#steps.insist(() => this.#steps.mark(call, ids));
    const rows = await this.#steps.cancelRows(record, ids);
    const open = new Map([...rows].filter(([, one]) => one !== "dead"));
    const others = ids.filter((id) => !open.has(id));
    // They would go by themselves.
    if (others.length > 0) await store.cancels.forget("", others).catch(() => undefined);
    const was: Was = open.size > 0 ? await this.#steps.followRows(call, open) : new Map();
    for (const [id, one] of rows) if (one === "dead") was.set(id, one);
    return was;
  }
}
