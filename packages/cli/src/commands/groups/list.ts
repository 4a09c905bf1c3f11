import { Option, type Command } from "commander";
import type { GroupStatus, QueueGroupStatus } from "keyline";
import { kindOf, openQueue, openStream } from "../../connection/names.ts";
import { action, type Context } from "../../context.ts";
import { WrongUse } from "../../exit-codes.ts";
import { count } from "../../input/parse.ts";
import type { Column } from "../../output/table.ts";
import { exact, relative } from "../../output/times.ts";
import { tellIfFromRows } from "../../status/stores.ts";

interface Options {
  readonly queue?: boolean;
  readonly stream?: boolean;
  readonly state?: QueueGroupStatus["state"];
  readonly limit: number;
  readonly cursor?: string;
}

export function defineList(command: Command): void {
  command
    .command("list", { isDefault: true })
    .description("List the consumer groups of a stream, or the groups of a queue that have jobs.")
    .argument("<name>", "of a stream or a queue")
    .option("--stream", "the stream, where a queue has the same name")
    .option("--queue", "the queue, where a stream has the same name")
    .addOption(new Option("--state <state>", "of a queue: only groups in this state").choices(["blocked", "paused", "running"]))
    .option("--limit <count>", "of a queue: so many at the most", count, 50)
    .option("--cursor <cursor>", "of a queue: go on behind the group that had this cursor")
    .action(
      action(async (context, name: string, options: Options) => {
        if (options.queue && options.stream) throw new WrongUse("--queue goes not with --stream.");
        const kind = options.queue ? "queue" : options.stream ? "stream" : await kindOf(context.session, name);
        if (kind === "stream") return listOfStream(context, name, options);
        await listOfQueue(context, name, options);
        return tellIfFromRows(context);
      }),
    );
}

async function listOfStream({ output, session }: Context, name: string, { state, cursor }: Options): Promise<void> {
  if (state !== undefined || cursor !== undefined)
    throw new WrongUse(`${name} is a stream: --state and --cursor are for groups of a queue.`);
  const stream = await openStream(session, name);
  if ((await output.list(groupColumns, await stream.groups())) === 0) output.hint(`Stream ${name} has no consumer groups.`);
}

async function listOfQueue({ output, session }: Context, name: string, { state, limit, cursor }: Options): Promise<void> {
  const queue = await openQueue(session, name, { isValkeyEnough: true });
  const groups = queue.groups({ ...(state !== undefined && { state }), ...(cursor !== undefined && { cursor }) });
  let last: QueueGroupStatus | undefined;
  const upTo = async function* (): AsyncGenerator<QueueGroupStatus> {
    let left = limit;
    for await (const group of groups) {
      yield (last = group);
      if (--left === 0) return;
    }
  };
  const found = await output.list(queueGroupColumns, upTo());
  if (found === 0) output.hint(`Queue ${name} has no groups with jobs${state === undefined ? "" : ` that are ${state}`}.`);
  if (found === limit && last) output.hint(`More: --cursor ${last.cursor}`);
}

const groupColumns: readonly Column<GroupStatus>[] = [
  { title: "GROUP", text: ({ name }) => name, isKey: true },
  { title: "LAG", text: ({ lag }) => lag, align: "right" },
  { title: "PENDING", text: ({ pending }) => pending, align: "right" },
  {
    title: "OLDEST",
    text: ({ oldestPendingAt }) => oldestPendingAt && relative(oldestPendingAt),
    plain: ({ oldestPendingAt }) => oldestPendingAt && exact(oldestPendingAt),
  },
  { title: "RETRYING", text: ({ retrying }) => retrying, align: "right" },
  { title: "DEAD", text: ({ dead }) => dead, align: "right", style: ({ dead }) => (dead > 0 ? "red" : undefined) },
  {
    title: "CONSUMERS",
    text: ({ consumers }) => consumers,
    align: "right",
    style: ({ consumers }) => (consumers === 0 ? "yellow" : undefined),
  },
  { title: "LOST", text: ({ lost }) => lost, align: "right", style: ({ lost }) => (lost > 0 ? "red" : undefined) },
];

const queueGroupColumns: readonly Column<QueueGroupStatus>[] = [
  { title: "GROUP", text: ({ name }) => name, isKey: true },
  { title: "STATE", text: ({ state }) => state, style: ({ state }) => (state === "running" ? "green" : "yellow") },
  { title: "WAITING", text: ({ waiting }) => waiting, align: "right" },
  { title: "BLOCKED BY", text: ({ blockedBy }) => blockedBy, isLong: true },
  { title: "SINCE", text: ({ since }) => since && relative(since), plain: ({ since }) => since && exact(since) },
];
