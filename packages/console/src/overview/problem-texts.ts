import { countOf, durationOf } from "./spoken.ts";

/** What the server says of what is wrong: what was seen, and what to do. */
interface Said {
  readonly text: string;
  readonly action: string;
}

const leaseAdvice =
  "Look for handlers that keep their process busy without a pause, for processes that were frozen, and for leases that are too short";

/** All words in which the server tells of problems. Those of the page itself are in page/texts.ts; what the library says of the stores is the library's. */
export const problemTexts = {
  noWorker: (jobs: number): Said => ({
    text: `${countOf(jobs, "job waits", "jobs wait")}, and nobody works on this queue`,
    action: "Start a process that calls work() on it, or look why those that did have stopped",
  }),
  stalled: (waitedMs: number, minutes: number): Said => ({
    text: `The oldest job has waited for ${durationOf(waitedMs)}, and nothing has ended in ${countOf(minutes, "minute")}`,
    action: "Look at what its workers run: a handler that hangs holds its place. Give work() a timeout",
  }),
  failing: (share: number, minutes: number): Said => ({
    text: `${Math.round(100 * share)} % of its attempts failed in the last ${countOf(minutes, "minute")}`,
    action: "See its dead letters by cause, and the errors of jobs that wait for their next attempt",
  }),
  paused: (jobs: number): Said => ({
    text: `It is paused, and ${countOf(jobs, "job waits", "jobs wait")}`,
    action: "Resume it when what it was paused for is over",
  }),
  longWait: (waitedMs: number): Said => ({
    text: `The oldest job has waited for ${durationOf(waitedMs)}`,
    action: "Start more workers or raise their concurrency; see whether limits hold it back, and how long its jobs run",
  }),
  behind: ({ added, ended, minutes }: { readonly added: number; readonly ended: number; readonly minutes: number }): Said => ({
    text: `In ${countOf(minutes, "minute")} ${countOf(added, "job was", "jobs were")} added, and ${ended.toLocaleString("en")} ended`,
    action: "Start more workers or raise their concurrency",
  }),
  dead: (jobs: number): Said => ({
    text: `${countOf(jobs, "job")} died in the last hour`,
    action: "See its dead letters by cause, and redrive them when the cause is mended",
  }),
  leasesLost: (leases: number): Said => ({
    text: `${countOf(leases, "lease was", "leases were")} lost in the last hour: what ran was given to others`,
    action: leaseAdvice,
  }),
  leasesLostOf: (leases: number, places: readonly string[]): Said => ({
    text: `${countOf(leases, "lease was", "leases were")} lost in the last hour (${places.join(", ")}): what ran was given to others`,
    action: leaseAdvice,
  }),
  leasesOf: (leases: number, kind: "queue" | "stream", name: string): string => `${leases.toLocaleString("en")} of ${kind} ${name}`,
  leasesOfOthers: (places: number): string => `others of ${countOf(places, "more")}`,
  noConsumer: (group: string, entries: number): Said => ({
    text: `Group ${group} has ${countOf(entries, "entry", "entries")} before it, and no consumer`,
    action: "Start a process that calls consume() for it, or remove the group if nobody needs it any more",
  }),
  groupBehind: (group: string, forMs: number): Said => ({
    text: `The oldest entry that group ${group} has not finished was appended ${durationOf(forMs)} ago`,
    action: "Start more consumers or raise their concurrency; look at what fails again and again",
  }),
  groupDead: (group: string, entries: number): Said => ({
    text: `Group ${group} has given up ${countOf(entries, "entry", "entries")}`,
    action: "See its dead letters, and redrive or discard them when the cause is mended",
  }),
} as const;
