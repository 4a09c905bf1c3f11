import { Option, type Command } from "commander";
import type { AddOptions, AddResult, Priority } from "keyline";
import { audited } from "../acts/audited.ts";
import { openQueue, type AnyQueue, type CreateOptions } from "../connection/names.ts";
import { action } from "../context.ts";
import { Interrupted, WrongUse } from "../exit-codes.ts";
import { readData, readLines } from "../input/data.ts";
import { count, duration, point } from "../input/parse.ts";
import { interruption } from "../interruption.ts";
import type { Output } from "../output/output.ts";
import { startProgress } from "../output/progress.ts";

interface Options extends CreateOptions {
  readonly id?: string;
  readonly delay?: number;
  readonly at?: number;
  readonly priority?: Priority;
  readonly group?: string;
  readonly maxAttempts?: number;
  readonly deduplicate?: string;
  readonly window?: number;
  readonly keepResult?: number;
  readonly wait?: number | true;
  readonly lines?: boolean;
}

const page = 500;

export function define(command: Command): void {
  command
    .argument("<queue>")
    .argument("[data]", "JSON, or - for what comes on standard input", "-")
    .option("--id <id>", "an id of your own")
    .option("--delay <time>", "not before so long (30s, 2h)", duration)
    .option("--at <time>", "not before this time", point)
    .addOption(new Option("--priority <priority>", "which of those that wait is taken first").choices(["high", "normal", "low"]))
    .option("--group <group>", "one at a time with others of this group")
    .option("--max-attempts <count>", "before it is a dead letter", count)
    .option("--deduplicate <key>", "add nothing while a job with this key is there")
    .option("--window <time>", "with --deduplicate: for so long after it was added", duration)
    .option("--keep-result <time>", "keep its result for so long", duration)
    .option("--wait [time]", "wait until it has ended, and print its result", duration)
    .option("--lines", "a job for each line of standard input")
    .option("--create", "also if nobody has used this queue yet")
    .option("--transactional", "the same, and its jobs are rows in PostgreSQL")
    .action(
      action(async ({ output, session }, name: string, given: string, options: Options) => {
        if (options.lines && (given !== "-" || options.id !== undefined || options.wait !== undefined)) {
          throw new WrongUse("--lines takes its data from standard input, and goes with neither --id nor --wait.");
        }
        if (options.window !== undefined && options.deduplicate === undefined) throw new WrongUse("--window goes with --deduplicate.");
        const job = jobOptions(options);
        const act = { action: "add", target: `queue:${name}`, details: job };
        if (options.lines) {
          const queue = await openQueue(session, name, options);
          const added = await audited(session, act, () => addLines(queue, job, output), { countOf: (number) => number });
          await output.result({ queue: name, added }, `Added ${added} jobs to ${name}.`);
          return;
        }
        const data = await readData(given);
        const queue = await openQueue(session, name, options);
        const result = await audited(session, act, () => queue.add(data, job), { countOf: ({ added }) => Number(added) });
        if (options.wait !== undefined) return tellResult(queue, result, { output, wait: options.wait });
        await output.result({ queue: name, ...result }, sentence(name, result));
      }),
    );
}

function jobOptions({ id, delay, at, priority, group, maxAttempts, deduplicate, window, keepResult, wait }: Options): AddOptions {
  // Whoever waits wants the result, also of a job that ends before anybody asks.
  const keep = keepResult ?? (wait === undefined ? undefined : 60_000);
  return {
    ...(id !== undefined && { id }),
    ...(delay !== undefined && { delay }),
    ...(at !== undefined && { runAt: at }),
    ...(priority !== undefined && { priority }),
    ...(group !== undefined && { group }),
    ...(maxAttempts !== undefined && { maxAttempts }),
    ...(deduplicate !== undefined && { deduplicate: window === undefined ? { key: deduplicate } : { key: deduplicate, window } }),
    ...(keep !== undefined && { keepResult: keep }),
  };
}

async function addLines(queue: AnyQueue, job: AddOptions, output: Output): Promise<number> {
  const signal = interruption();
  const progress = await startProgress(output, "Adding", undefined);
  let added = 0;
  let jobs: ({ readonly data: unknown } & AddOptions)[] = [];
  const flush = async (): Promise<void> => {
    if (jobs.length === 0) return;
    added += (await queue.addMany(jobs)).filter((result) => result.added).length;
    jobs = [];
    progress.update(added);
  };
  try {
    for await (const data of readLines(signal)) if (jobs.push({ ...job, data }) === page) await flush();
    signal.throwIfAborted();
    await flush();
    return added;
  } catch (error) {
    if (error instanceof Interrupted) output.note(`Added ${added} jobs before that.`);
    else if (added > 0)
      throw new Error(`${added} jobs were added, and then: ${String(error instanceof Error ? error.message : error)}`, { cause: error });
    throw error;
  } finally {
    progress.stop();
  }
}

async function tellResult(
  queue: AnyQueue,
  { id, added }: AddResult,
  { output, wait }: { readonly output: Output; readonly wait: number | true },
): Promise<void> {
  const result = await queue.waitFor(id, wait === true ? {} : { timeout: wait });
  await output.result({ queue: queue.name, id, added, result }, JSON.stringify(result) ?? "It has completed, and has no result.");
}

function sentence(name: string, { id, added }: AddResult): string {
  return added ? `Added ${id} to ${name}.` : `${id} is on ${name} already: nothing was added.`;
}
