import type { Command } from "commander";
import type { KnownStatus, QueueEntry } from "keyline";
import { action } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Column } from "../output/table.ts";
import { exact, relative } from "../output/times.ts";
import { askingAll, leftOut, storesOf, tellAway } from "../status/stores.ts";

interface QueueLine extends Partial<KnownStatus> {
  readonly name: string;
  readonly transactional: boolean;
  /** Like the counts undefined where a store is away, or was not named, that would know. */
  readonly workers: number | undefined;
  readonly lastSeenAt: number | undefined;
}

const atATime = 16;

export function define(command: Command): void {
  command.action(
    action(async ({ output, session }) => {
      const keyline = await session.reached();
      const stores = storesOf(await keyline.health());
      const ask = askingAll(stores);
      const entries = (await ask(keyline.directory.queues())) ?? [];
      const read = async ({ name, transactional, lastSeenAt, open }: QueueEntry): Promise<QueueLine> => {
        const queue = open();
        const [counts, workers] = await Promise.all([ask(queue.counts({ known: true })), ask(queue.workers({ jobs: false }))]);
        return { name, transactional, lastSeenAt, ...counts, workers: workers?.length };
      };
      const lines = async function* (): AsyncGenerator<QueueLine> {
        for (let first = 0; first < entries.length; first += atATime) {
          yield* await Promise.all(entries.slice(first, first + atATime).map(read));
        }
      };
      const isAway = tellAway(output, stores, session.addresses);
      const missing = leftOut(session, entries);
      if (missing !== undefined) output.note(missing);
      if ((await output.list(columns, lines())) === 0 && !isAway) output.hint("No queue was used in the last 30 days.");
      return isAway || missing !== undefined ? exitCodes.failed : exitCodes.done;
    }),
  );
}

const columns: readonly Column<QueueLine>[] = [
  { title: "NAME", text: ({ name }) => name, isKey: true },
  { title: "KIND", text: ({ transactional }) => (transactional ? "transactional" : "plain") },
  { title: "WAITING", text: ({ waiting }) => waiting, align: "right" },
  { title: "RUNNING", text: ({ running }) => running, align: "right" },
  // What is looked for first stands first: columns go from the right where the terminal is narrow.
  { title: "DEAD", text: ({ dead }) => dead, align: "right", style: ({ dead }) => ((dead ?? 0) > 0 ? "red" : undefined) },
  { title: "SCHEDULED", text: ({ scheduled }) => scheduled, align: "right" },
  { title: "BLOCKED", text: ({ blocked }) => blocked, align: "right" },
  { title: "PARKED", text: ({ parked }) => parked, align: "right" },
  { title: "WORKERS", text: ({ workers }) => workers, align: "right" },
  { title: "PAUSED", text: ({ paused }) => (paused ? "paused" : ""), style: () => "yellow" },
  {
    title: "OLDEST",
    text: ({ oldestWaitingAt }) => oldestWaitingAt && relative(oldestWaitingAt),
    plain: ({ oldestWaitingAt }) => oldestWaitingAt && exact(oldestWaitingAt),
  },
];
