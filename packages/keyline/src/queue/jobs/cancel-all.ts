import type { CancelledRows, OpenRow, RowWas } from "../../postgres/job/cancelled-rows.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { insistOn, type CancelSteps, type Was } from "./cancel-steps.ts";
import type { JobQuery } from "./job-filter.ts";
import { walk, type WalkRange } from "./job-walk.ts";

type Note = (count: number) => Promise<void>;

const page = 500;
/** So many rows are cancelled before Valkey is looked through for them. */
const rowsAtOnce = 5_000;

/** Cancels the jobs that fit, page by page. `note` is told of each page, and may throw to end it. */
export function cancelAll(steps: CancelSteps, query: JobQuery, note: Note): Promise<void> {
  return steps.record ? cancelRows(steps, query, note) : cancelPlain(steps, query, note);
}

async function cancelPlain(steps: CancelSteps, query: JobQuery, note: Note): Promise<void> {
  const call = steps.newCall();
  await steps.ready();
  // A mark that is no job's keeps the gate as long as this lasts: what is found with a worker must not be tried again unseen.
  await steps.mark(call, ["*"]);
  try {
    await steps.known();
    const was: Was = new Map();
    const noteFound = async (): Promise<void> => {
      const { size } = was;
      was.clear();
      await note(size);
    };
    await steps.takeOut({ call, filter: valuesOf(query), range: rangeOf(query), was, enough: () => false, note: noteFound });
  } finally {
    await steps.store.cancels.end(call, ["*"]).catch(() => undefined);
    steps.onCancelled([]);
  }
}

async function cancelRows(steps: CancelSteps, query: JobQuery, note: Note): Promise<void> {
  const { record, store } = steps;
  if (!record) return;
  await steps.ready();
  const insist = <Result>(work: (rows: CancelledRows) => Promise<Result>): Promise<Result> =>
    insistOn(record.database, () => work(record.rows));
  // What is added from now on is left alone.
  const last = await insist((rows) => rows.newest());
  for (let after = "0", isLast = false; !isLast;) {
    const cancelled = new Map<string, RowWas>();
    try {
      while (cancelled.size < rowsAtOnce && !isLast) {
        const range = { after, last, limit: page };
        const found = await insist((rows) => rows.page(query, range));
        isLast = found.length < page;
        after = found.at(-1)?.seq ?? after;
        const ids = await inState(store, found, query.state);
        if (ids.length === 0) continue;
        const { size } = cancelled;
        for (const [id, was] of await steps.cancelRows(record, ids)) if (was !== "dead") cancelled.set(id, was);
        await note(cancelled.size - size);
      }
    } finally {
      // Also where it ends between two pages: what is cancelled by then is.
      if (cancelled.size > 0) await steps.followRows(steps.newCall(), cancelled);
    }
  }
}

/** Those of the rows whose jobs are in a state; which of them run only Valkey knows. */
async function inState(store: QueueStore, rows: readonly OpenRow[], state: JobQuery["state"]): Promise<string[]> {
  if (state === undefined) return rows.map(({ id }) => id);
  const fitting = rows.filter(({ is_scheduled }) => is_scheduled === (state === "scheduled"));
  if (state === "scheduled" || fitting.length === 0) return fitting.map(({ id }) => id);
  const held = await idsHeld(store);
  return fitting.flatMap(({ id }) => (held.has(id) === (state === "running") ? [id] : []));
}

async function idsHeld(store: QueueStore): Promise<ReadonlySet<string>> {
  const held = new Set<string>();
  const onlyHeld: WalkRange = { scheduled: false, waiting: false, running: true, group: undefined };
  await walk(store, onlyHeld, {
    wait: () => Promise.resolve(undefined),
    held: async (worker) => {
      for await (const ids of store.reads.ids(store.keys.held(worker))) for (const id of ids) held.add(id);
      return undefined;
    },
  });
  return held;
}

function rangeOf({ state, group }: JobQuery): WalkRange {
  const has = (one: JobQuery["state"]): boolean => state === undefined || state === one;
  return { scheduled: has("scheduled"), waiting: has("waiting"), running: has("running"), group, isByGroup: true };
}

/** Names and values as the scripts take them. */
function valuesOf({ group, after, before }: JobQuery): (string | number)[] {
  return [
    ...(group === undefined ? [] : ["group", group]),
    ...(after === undefined ? [] : ["after", after]),
    ...(before === undefined ? [] : ["before", before]),
  ];
}
