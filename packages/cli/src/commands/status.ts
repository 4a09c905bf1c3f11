import { InvalidArgumentError, type Command } from "commander";
import { setTimeout as delay } from "node:timers/promises";
import { action, type Context } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { explain } from "../explain-error.ts";
import { duration } from "../input/parse.ts";
import { interruption } from "../interruption.ts";
import { oneLine } from "../output/printable.ts";
import type { Column } from "../output/table.ts";
import { exact, relative } from "../output/times.ts";
import type { Item } from "../status/item.ts";
import { takeSnapshot, type Snapshot } from "../status/snapshot.ts";
import { storeText, tellAway } from "../status/stores.ts";

interface Options {
  readonly watch?: number | true;
  readonly check?: boolean;
  readonly maxAge: number;
}

const defaultSeconds = 2;
const fiveMinutes = 300_000;
// Lines around the table: the stores, the heading, and where the next line will be.
const otherLines = 4;
const mostProblems = 10;

export function define(command: Command): void {
  command
    .option("--watch [seconds]", `again every ${defaultSeconds} seconds, until Ctrl-C`, secondsOf)
    .option("--check", "exit with 3 if anything is not as it should be")
    .option("--max-age <time>", "what waits for longer is a problem", duration, fiveMinutes)
    .action(
      action(async (context, { watch, check, maxAge }: Options) => {
        if (watch !== undefined) return watchStatus(context, { everyMs: (watch === true ? defaultSeconds : watch) * 1_000, maxAge });
        await context.session.reached();
        const snapshot = await takeSnapshot(context.session, maxAge);
        await show(context, snapshot);
        if (check && !snapshot.healthy) return exitCodes.unhealthy;
        const isWhole = snapshot.leftOut === undefined && snapshot.stores.every(({ state }) => state === "ok");
        return isWhole ? exitCodes.done : exitCodes.failed;
      }),
    );
}

async function watchStatus(
  context: Context,
  { everyMs, maxAge }: { readonly everyMs: number; readonly maxAge: number },
): Promise<ExitCode> {
  const { output, session } = context;
  const signal = interruption();
  await session.reached();
  const isScreen = output.terminal.isOutput && !output.isJson;
  while (!signal.aborted) {
    const snapshot = await takeSnapshot(session, maxAge).catch((error: unknown) => error);
    // Home, and everything below it away: what was above stays in the terminal's memory.
    if (isScreen) process.stdout.write("\u001b[H\u001b[2J");
    // A store that goes away comes back, and whoever watches is there for it.
    if (snapshot instanceof Error) output.note(explain(snapshot, session.addresses).text);
    else await show(context, snapshot as Snapshot, isScreen ? output.terminal.height - otherLines : undefined);
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
  }
  return exitCodes.done;
}

async function show(context: Context, snapshot: Snapshot, most = Infinity): Promise<void> {
  const { output, session } = context;
  if (output.isJson) return output.result(snapshot, "");
  const isWide = output.terminal.isOutput;
  const problems = isWide ? await showAbove(context, snapshot) : 0;
  if (!isWide) tellAway(output, snapshot.stores, session.addresses);
  if (!isWide && snapshot.leftOut !== undefined) output.note(snapshot.leftOut);
  const items = snapshot.items.slice(0, Math.max(1, most - problems));
  const found = await output.list(isWide ? columns : [...columns, problemColumn], items);
  if (found < snapshot.items.length) await output.text(`and ${snapshot.items.length - found} more`);
  if (found === 0 && snapshot.healthy) output.hint("No queue and no stream was used in the last 30 days.");
}

/** The stores, and what is not as it should be, each with why. Returns how many lines the latter took. */
async function showAbove({ output, session }: Context, { stores, leftOut, items }: Snapshot): Promise<number> {
  const texts = stores.map((store) => output.paint(store.state === "ok" ? "green" : "red", oneLine(storeText(store, session.addresses))));
  const isAway = stores.some(({ state }) => state === "away");
  await output.text(texts.join(isAway ? "\n" : "   "));
  const lines = items.flatMap(({ name, problems }) => problems.map(({ text }) => `${name}: ${text}`));
  if (leftOut !== undefined) lines.unshift(leftOut);
  else if (items.some(({ isComplete }) => !isComplete)) lines.unshift("Figures that only the store which is away knows are left out.");
  const shown = lines.length > mostProblems ? [...lines.slice(0, mostProblems - 1), `and ${lines.length - mostProblems + 1} more`] : lines;
  for (const line of shown) await output.text(output.paint("yellow", oneLine(line)));
  return shown.length + (isAway ? 1 : 0);
}

const columns: readonly Column<Item>[] = [
  { title: "KIND", text: ({ kind }) => kind },
  { title: "NAME", text: ({ name }) => name, isKey: true },
  { title: "WAITING", text: ({ waiting }) => waiting, align: "right" },
  { title: "RUNNING", text: ({ running }) => running, align: "right" },
  { title: "SCHEDULED", text: ({ scheduled }) => scheduled, align: "right" },
  { title: "DEAD", text: ({ dead }) => dead, align: "right", style: ({ dead }) => ((dead ?? 0) > 0 ? "red" : undefined) },
  { title: "OLDEST", text: ({ oldestAt }) => oldestAt && relative(oldestAt), plain: ({ oldestAt }) => oldestAt && exact(oldestAt) },
  { title: "IN/MIN", text: ({ inPerMinute }) => inPerMinute, align: "right" },
  { title: "OUT/MIN", text: ({ outPerMinute }) => outPerMinute, align: "right" },
  { title: "FAILED/MIN", text: ({ failedPerMinute }) => failedPerMinute, align: "right" },
  { title: "WORKERS", text: ({ workers }) => workers, align: "right" },
];

const problemColumn: Column<Item> = {
  title: "PROBLEM",
  text: ({ problems }) => problems.map(({ text }) => text).join("; "),
};

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (seconds >= 0.1 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError("It must be a number of seconds of at least 0.1.");
}
