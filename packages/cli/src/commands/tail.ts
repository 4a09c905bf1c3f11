import type { Command } from "commander";
import type { Gap, Message, QueueEvent, Subscription } from "keyline";
import { openChannel, openQueue, openStream } from "../connection/names.ts";
import { action } from "../context.ts";
import { count, place } from "../input/parse.ts";
import { interruption } from "../interruption.ts";
import type { Output } from "../output/output.ts";
import { jsonLine } from "../output/printable.ts";

interface TailOptions {
  readonly since?: string;
  readonly after?: string | number;
  readonly limit?: number;
}

export function define(command: Command): void {
  const limit = ["--limit <count>", "end after so many"] as const;
  command
    .command("queue")
    .description("Follow what becomes of a queue's jobs.")
    .argument("<queue>")
    .option("--since <cursor>", 'go on behind this cursor, or "earliest" for all that is kept')
    .option(...limit, count)
    .action(
      action(async ({ output, session }, name: string, { since, limit: most }: TailOptions) => {
        const queue = await openQueue(session, name, { isValkeyEnough: true });
        const onGap = (gap: object): void => tellGap(output, gap);
        const events = queue.events({ ...(since !== undefined && { since }), onGap, signal: interruption() });
        await follow(events, most, (event) => output.line(event, event.at, eventText(event)));
      }),
    );
  command
    .command("channel")
    .description("Follow the messages of a channel, or of all whose names match, such as 'weather.*'.")
    .argument("<channel>")
    .option("--since <cursor>", 'with history: go on behind this cursor, or "earliest" for all that is kept')
    .option(...limit, count)
    .action(
      action(async ({ output, session }, name: string, { since, limit: most }: TailOptions) => {
        // Whoever reads more slowly than it comes is told what was left out.
        const shared = { onGap: (gap: Gap): void => tellGap(output, gap), signal: interruption(), whenFull: "drop-oldest" } as const;
        const isPattern = /[*?]/.test(name);
        const subscription: Subscription = isPattern
          ? (await session.keyline()).channels(name).subscribe(shared)
          : (await openChannel(session, name, since === undefined ? {} : { history: {} })).subscribe({ ...shared, since });
        const channelOf = (message: Message): string => (isPattern ? `${message.channel}  ` : "");
        await subscription.ready;
        output.hint(`Listening to ${name}. Ctrl-C ends it.`);
        await follow(subscription, most, (message) => output.line(message, message.at, `${channelOf(message)}${jsonLine(message.data)}`));
      }),
    );
  command
    .command("stream")
    .description("Follow the entries of a stream.")
    .argument("<stream>")
    .option("--after <place>", "begin behind this id or time (2h), or - for the beginning; without it, from now on", place)
    .option(...limit, count)
    .action(
      action(async ({ output, session }, name: string, { after, limit: most }: TailOptions) => {
        const stream = await openStream(session, name);
        const onGap = (gap: object): void => tellGap(output, gap);
        const entries = stream.follow({ ...(after !== undefined && { after }), onGap, signal: interruption() });
        await follow(entries, most, (entry) =>
          output.line(entry, entry.at, `${entry.id}${entry.key === undefined ? "" : `  ${entry.key}`}  ${jsonLine(entry.data)}`),
        );
      }),
    );
}

async function follow<Item>(items: AsyncIterable<Item>, most: number | undefined, tell: (item: Item) => Promise<void>): Promise<void> {
  let left = most ?? Infinity;
  for await (const item of items) {
    await tell(item);
    if (--left === 0) return;
  }
}

function tellGap(output: Output, gap: object): void {
  // Those who read JSON have to see it in its place.
  if (output.isJson) void output.remark({ gap });
  else output.note(`Something is missing here: ${jsonLine(gap)}`);
}

function eventText(event: QueueEvent): string {
  const { type, at: _, cursor: __, ...rest } = event;
  const { id, ...more } = "id" in rest ? rest : { id: undefined, ...rest };
  const details = Object.entries(more).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${jsonLine(value)}`]));
  return [type.padEnd(9), id, ...details].filter((part) => part !== undefined).join("  ");
}
