import { checkOptionNames } from "../../runtime/options.ts";
import { parseJson } from "../../runtime/json.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { readAbout, type About } from "../../work/about.ts";
import type { HeldJob } from "./held-jobs.ts";

/** A job that a worker runs. */
export interface RunningJob {
  readonly id: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** In milliseconds since 1970, by the worker's clock. */
  readonly startedAt: number;
}

/** A worker of any process whose lease goes on. */
export interface WorkerInfo extends About {
  /** How many jobs it runs; until it has heard that somebody asks, how many it holds. */
  readonly running: number;
  /** The 20 that have run for longest. Workers tell it while somebody asks: every second, and for half a minute longer. */
  readonly jobs: readonly RunningJob[];
}

export interface WorkersOptions {
  /** False asks no worker what it runs, for who only counts them, such as in a list of all queues: `jobs` is what others have asked for lately. Default true. */
  readonly jobs?: boolean;
}

interface Report {
  readonly running: number;
  readonly jobs: readonly (readonly [id: string, attempt: number, startedAt: number])[];
}

const mostJobs = 20;
const optionNames = new Set<string>(["jobs"] satisfies (keyof WorkersOptions)[]);

/** What a worker tells of what it runs. */
export function describeRunning(held: Iterable<HeldJob<unknown>>): string {
  const running = [...held].filter(({ phase, attempt, begunMs }) => phase === "running" && attempt !== undefined && begunMs > 0);
  const longest = running.toSorted((one, other) => one.begunAt - other.begunAt).slice(0, mostJobs);
  const jobs = longest.map(({ element, attempts, begunMs }) => [element?.id ?? "", attempts + 1, begunMs] as const);
  return JSON.stringify({ running: running.length, jobs } satisfies Report);
}

/** The workers of a queue, those first that began first. Throws INVALID_OPTION. */
export async function readWorkers({ roster }: QueueStore, options: WorkersOptions): Promise<WorkerInfo[]> {
  checkOptionNames("workers", options, optionNames);
  const workers = (await roster.read({ isAsking: options.jobs ?? true })).map(({ name, about, report, held }) => {
    const said = readAbout(name, about);
    const { running = Math.min(held, said.concurrency ?? held), jobs = [] } = readReport(report) ?? {};
    return { ...said, running, jobs: jobs.map(([id, attempt, startedAt]) => ({ id, attempt, startedAt })) };
  });
  return workers.toSorted((one, other) => (one.startedAt ?? 0) - (other.startedAt ?? 0));
}

/** Undefined where it has told nothing. */
function readReport(text: string): Report | undefined {
  return text === "" ? undefined : (parseJson(text) as Report);
}
