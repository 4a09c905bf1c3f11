import { walkBegin, type Place, type WalkPlace } from "../../valkey/queue/cancels.ts";
import type { AnyPlace } from "../../valkey/queue/job-pages.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { GroupsPart } from "../../valkey/queue/reads.ts";
import { FamilyViews } from "../../valkey/queue/family-views.ts";
import { elementIn, type Element } from "../element.ts";
import { restsFromMs } from "../families/family-element.ts";
import type { FamilyQuery, JobFamily } from "../families/family-view.ts";
import { plainFamily } from "../families/plain-family-view.ts";
import { readHead, readLetter, type LetterHead } from "../letters/dead-letter.ts";
import type { LetterShelf } from "../letters/letter-shelf.ts";
import { findElement } from "./job-finder.ts";
import { linesOf } from "./job-walk.ts";
import { ListEnds } from "./second-look.ts";
import { writeCursor, type JobsQuery } from "./jobs-options.ts";
import { surroundingsOf } from "./plain-surroundings.ts";
import { endedJob, jobOfElement, jobOfLetter, type JobState, type QueuedJob } from "./queued-job.ts";

const letterPage = 50;
const onceAgain = 2;
// As many as of rows.
const mostSearched = 100_000;

interface PlainJobsParts {
  readonly queue: string;
  readonly shelf: LetterShelf;
  readonly storeOf: (queue: string) => QueueStore;
}

interface FoundJob<Data> {
  readonly job: QueuedJob<Data>;
  /** Undefined where nothing of it is left. */
  readonly element: Element | undefined;
}

/** The jobs of a plain queue, as they are found on Valkey. */
export class PlainJobs {
  readonly areRows = false;
  readonly #store: QueueStore;
  readonly #parts: PlainJobsParts;
  readonly #shelf: LetterShelf;

  constructor(store: QueueStore, parts: PlainJobsParts) {
    this.#store = store;
    this.#parts = parts;
    this.#shelf = parts.shelf;
  }

  async job<Data>(id: string): Promise<QueuedJob<Data> | undefined> {
    const found = await this.#find<Data>(id);
    if (!found?.element) return found?.job;
    const { connection, keys } = this.#store;
    return { ...found.job, ...(await surroundingsOf(new FamilyViews(connection, keys), found.element)) };
  }

  /** See `Queue.family`. */
  async family(id: string, query: FamilyQuery): Promise<JobFamily | undefined> {
    const found = await this.#find(id);
    if (!found) return undefined;
    const { queue, storeOf } = this.#parts;
    const { state, error } = found.job;
    return plainFamily(storeOf, { queue, id, state, reason: state === "dead" ? error : undefined, element: found.element }, query);
  }

  async #find<Data>(id: string): Promise<FoundJob<Data> | undefined> {
    // What has ended is known at once, and a queue is long. An id that was chosen again is of a job that is open, too.
    const ended = (await this.#store.reads.isTaken(id)) ? undefined : await this.#ended<Data>(id);
    if (ended) return ended;
    // One that fails while it is looked for goes back to where it was looked for before.
    const ends = new ListEnds();
    for (let tried = 0; tried < onceAgain; tried++) {
      const found = (await this.#seek<Data>(id, ends)) ?? (await this.#ended<Data>(id));
      if (found) return found;
    }
    return undefined;
  }

  /** Returns the cursor where a search goes on that ends before it has looked at all. A search is for one state, and so in one place. */
  async *pages<Data>(query: JobsQuery): AsyncGenerator<readonly QueuedJob<Data>[], string | undefined> {
    let [at = "", from = "", groups = "0"] = query.cursor;
    for await (const [place, scan] of this.#places(query, at, groups)) {
      groups = scan;
      const begin = place === at ? from : "";
      const pages = place === "dead" ? this.#letterPages<Data>(query, begin) : this.#placePages<Data>(place, { query, from: begin, scan });
      const goesOn = yield* pages;
      if (goesOn !== undefined) return goesOn;
      if (place !== "dead") [at, from] = ["", ""];
    }
    return undefined;
  }

  async *#placePages<Data>(
    place: AnyPlace,
    { query: { group, state, error }, from, scan }: { readonly query: JobsQuery; readonly from: string; readonly scan: string },
  ): AsyncGenerator<readonly QueuedJob<Data>[], string | undefined> {
    const filter = group === undefined ? [] : ["group", group];
    // Pages overlap a little.
    let before: readonly string[] = [];
    let looked = 0;
    let next: WalkPlace | undefined = { ...walkBegin, from };
    let behind = from;
    while (next && looked < mostSearched) {
      const page = await this.#store.jobPages.read(place, next, filter);
      const seen = new Set(before);
      before = page.found.map(({ raw }) => raw);
      yield page.found.flatMap(({ raw, due, behind }) => {
        if (seen.has(raw)) return [];
        const where = stateOf(place, due);
        if (state !== undefined && where.state !== state) return [];
        const job = jobOfElement<Data>(raw, { ...where, cursor: writeCursor([place, behind, scan]) });
        return job && (error === undefined || job.error?.includes(error)) ? [job] : [];
      });
      if (error !== undefined) looked += page.found.length;
      behind = page.found.at(-1)?.behind ?? behind;
      ({ next } = page);
    }
    return next && writeCursor([place, behind, scan]);
  }

  async #seek<Data>(id: string, ends: ListEnds): Promise<FoundJob<Data> | undefined> {
    const found = await findElement(this.#store, id, ends);
    const job = found && jobOfElement<Data>(found.raw, { ...stateOf(found.place, found.due), cursor: "" });
    if (!job) return undefined;
    const worker = found.place.startsWith("held:") ? found.place.slice("held:".length) : undefined;
    return { job: worker === undefined ? job : { ...job, worker }, element: elementIn(found.raw) };
  }

  async #ended<Data>(id: string): Promise<FoundJob<Data> | undefined> {
    const head = (await this.#store.letters.of([id])).map(readHead).at(-1);
    const [text = ""] = head ? await this.#store.letters.jobs([head.key]) : [];
    if (head && text !== "") {
      const letter = readLetter(head, text);
      const job = jobOfLetter<Data>(letter, "");
      return { job: { ...job, stack: letter.stack }, element: elementIn(text.slice(text.indexOf("\n") + 1)) };
    }
    const [outcome = ""] = await this.#store.outcomes.find([id]);
    if (!outcome.startsWith("{")) return undefined;
    return { job: endedJob(id, outcome.startsWith('{"outcome":"cancelled"') ? "cancelled" : "completed"), element: undefined };
  }

  /** Where the jobs that fit are, from `at` on, in the order in which jobs move; and where the scan of groups was that it came from. */
  async *#places(query: JobsQuery, at: string, groups: string): AsyncGenerator<readonly [AnyPlace | "dead", string]> {
    let isThere = at === "";
    const wants = (...states: JobState[]): boolean => query.state === undefined || states.includes(query.state);
    const isInLines = at.startsWith("line");
    if (wants("blocked") && (isThere || isInLines)) {
      // A queue may have thousands of groups of which none has a line.
      if (isInLines || (await this.#store.reads.counts()).blocked > 0) yield* this.#lines(query.group, isInLines ? at : "", groups);
      isThere = true;
    }
    if (wants("scheduled", "parked") && (isThere || at === "scheduled")) {
      isThere = true;
      yield ["scheduled", "0"];
    }
    for (const list of ["waiting", "waiting:high", "waiting:low"] as const) {
      if (!wants("waiting") || !(isThere || at === list)) continue;
      isThere = true;
      yield [list, "0"];
    }
    if (wants("running") && (isThere || at.startsWith("held:"))) {
      const workers = [...(await this.#store.leases.workers()), ...(await this.#store.leases.goneWorkers(Infinity))].sort();
      for (const worker of workers) if (isThere || `held:${worker}` >= at) yield [`held:${worker}`, "0"];
      isThere = true;
    }
    if (wants("dead")) yield ["dead", "0"];
  }

  /** From the line `at` on, which was in the part `from` of the server's groups: see group-list.ts. */
  async *#lines(group: string | undefined, at: string, from: string): AsyncGenerator<readonly [Place, string]> {
    let isFirst = at !== "";
    for await (const parts of group === undefined ? this.#store.reads.groups(from.split("-")[0]) : [alone(group)]) {
      const lines = await this.#store.jobPages.linesOf(parts.flatMap(({ names }) => names));
      for (const { begin, end, names } of parts) {
        const scan = `${begin}-${end}`;
        const name = isFirst && scan === from ? at.slice(at.indexOf(":") + 1) : undefined;
        isFirst = false;
        for (const place of names.flatMap((one) => (name !== undefined && one < name ? [] : linesOf(one)))) {
          const isBefore = name !== undefined && place === `lines:${name}` && at === `line:${name}`;
          if (!isBefore && lines.has(place)) yield [place, scan];
        }
      }
    }
  }

  async *#letterPages<Data>({ group, error }: JobsQuery, from: string): AsyncGenerator<readonly QueuedJob<Data>[], string | undefined> {
    const fits = (head: LetterHead): boolean =>
      (group === undefined || head.group === group) && (error === undefined || head.reason.includes(error));
    let looked = 0;
    let last = from === "" ? Number.MAX_SAFE_INTEGER - 1 : Number(from) - 1;
    while (looked < mostSearched) {
      const heads = await this.#shelf.page({ first: 0, last, after: undefined, order: "newest", limit: letterPage });
      if (error !== undefined) looked += heads.length;
      const fitting = heads.filter(fits);
      const letters = await this.#shelf.read(fitting);
      yield letters.flatMap((letter, index) => (letter ? [jobOfLetter<Data>(letter, behindLetter(fitting[index]?.place))] : []));
      if (heads.length < letterPage) return undefined;
      last = (heads.at(-1)?.place ?? 0) - 1;
    }
    return behindLetter(last + 1);
  }
}

function behindLetter(place: number | undefined): string {
  return writeCursor(["dead", String(place), "0"]);
}

function alone(group: string): readonly GroupsPart[] {
  return [{ begin: "0", end: "0", names: [group] }];
}

function stateOf(place: AnyPlace, due: number | undefined): { readonly state: JobState; readonly due: number | undefined } {
  if (place === "scheduled" && due !== undefined && due > restsFromMs) return { state: "parked", due: undefined };
  return { state: stateAt(place), due };
}

function stateAt(place: AnyPlace): JobState {
  if (place === "scheduled") return "scheduled";
  if (place.startsWith("held:")) return "running";
  return place.startsWith("line") ? "blocked" : "waiting";
}
