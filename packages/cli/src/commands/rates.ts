import type { Command } from "commander";
import type { ChannelRates, QueueRates, StreamRates } from "keyline";
import { openNamed } from "../connection/names.ts";
import { action } from "../context.ts";
import { WrongUse } from "../exit-codes.ts";
import { count } from "../input/parse.ts";
import type { Column } from "../output/table.ts";
import { duration, exact } from "../output/times.ts";
import { tellIfFromRows } from "../status/stores.ts";

interface Options {
  readonly minutes?: number;
  readonly hours?: number;
  readonly queue?: boolean;
  readonly stream?: boolean;
  readonly channel?: boolean;
}

const mostMinutes = 2_880;
const mostHours = 2_160;

export function define(command: Command): void {
  command
    .description("What was done on a queue, a stream or a channel, minute by minute or hour by hour.")
    .argument("<thing>", "a queue, a stream or a listed channel")
    .option("--minutes <count>", "so many minutes, the present one included; by default 60", count)
    .option("--hours <count>", "so many hours instead", count)
    .option("--queue", "where a stream or a channel has the same name")
    .option("--stream", "where a queue or a channel has the same name")
    .option("--channel", "where a queue or a stream has the same name")
    .action(
      action(async ({ output, session }, name: string, { minutes, hours, ...said }: Options) => {
        if (minutes !== undefined && hours !== undefined) throw new WrongUse("Say --minutes or --hours, not both.");
        if ((minutes ?? 0) > mostMinutes) throw new WrongUse(`Minutes are kept for two days: --minutes is ${mostMinutes} at the most.`);
        if ((hours ?? 0) > mostHours) throw new WrongUse(`Hours are kept for ninety days: --hours is ${mostHours} at the most.`);
        const kinds = (["queue", "stream", "channel"] as const).filter((kind) => said[kind]);
        if (kinds.length > 1) throw new WrongUse(`Say ${kinds.map((kind) => `--${kind}`).join(" or ")}, not both.`);
        const range = hours === undefined ? { minutes: minutes ?? 60 } : { hours };
        const found = await openNamed(session, name, kinds[0]);
        const unit = hours === undefined ? "minutes" : "hours";
        // In each branch the spans are of the kind that its columns are of.
        if (found.kind === "queue") await output.list(queueColumns(unit), (await found.queue.rates(range))[unit]);
        else if (found.kind === "stream") await output.list(streamColumns(unit), (await found.stream.rates(range))[unit]);
        else await output.list(channelColumns(unit), (await found.channel.rates(range))[unit]);
        return hours === undefined ? undefined : tellIfFromRows({ output, session });
      }),
    );
}

type Unit = "minutes" | "hours";

/** A terminal has the time of day, and for hours the date. */
function time<Span extends { readonly at: number }>(unit: Unit): Column<Span> {
  return { title: unit === "minutes" ? "MINUTE" : "HOUR", text: ({ at }) => local(at, unit), plain: ({ at }) => exact(at), isKey: true };
}

function local(at: number, unit: Unit): string {
  const date = new Date(at);
  const two = (number: number): string => String(number).padStart(2, "0");
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return unit === "minutes" ? clock : `${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`;
}

function number<Span>(title: string, text: (span: Span) => number, tone?: "red" | "yellow"): Column<Span> {
  return { title, text, align: "right", ...(tone && { style: (span) => (text(span) > 0 ? tone : undefined) }) };
}

const ms = (value: number | undefined): string | undefined => (value === undefined ? undefined : duration(value));

/** What is asked for first stands first: columns go from the right where the terminal is narrow. */
function queueColumns(unit: Unit): readonly Column<QueueRates["minutes"][number]>[] {
  return [
    time(unit),
    number("ADDED", ({ added }) => added),
    number("COMPLETED", ({ completed }) => completed),
    number("FAILED", ({ failed }) => failed, "red"),
    number("DEAD", ({ dead }) => dead, "red"),
    { title: "WAIT P95", text: ({ wait }) => ms(wait.p95), plain: ({ wait }) => wait.p95, align: "right" },
    { title: "RUN P95", text: ({ run }) => ms(run.p95), plain: ({ run }) => run.p95, align: "right" },
    { title: "WAITING", text: ({ depth }) => depth?.waiting, align: "right" },
    number("RETRIED", ({ retried }) => retried),
    number("CANCELLED", ({ cancelled }) => cancelled),
    number("LEASES LOST", ({ leasesLost }) => leasesLost, "yellow"),
    number("RESCUED", ({ rescued }) => rescued),
    number("IN VAIN", ({ overtaken }) => overtaken),
  ];
}

function streamColumns(unit: Unit): readonly Column<StreamRates["minutes"][number]>[] {
  return [
    time(unit),
    number("APPENDED", ({ appended }) => appended),
    number("CONSUMED", ({ consumed }) => consumed),
    number("FAILED", ({ failed }) => failed, "red"),
    number("DEAD", ({ dead }) => dead, "red"),
    number("LEASES LOST", ({ leasesLost }) => leasesLost, "yellow"),
    number("RESCUED", ({ rescued }) => rescued),
    number("IN VAIN", ({ overtaken }) => overtaken),
  ];
}

function channelColumns(unit: Unit): readonly Column<ChannelRates["minutes"][number]>[] {
  return [time(unit), number("PUBLISHED", ({ published }) => published), number("RECEIVED", ({ received }) => received)];
}
