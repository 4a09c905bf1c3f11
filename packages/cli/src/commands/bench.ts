import { InvalidArgumentError, type Command } from "commander";
import { openGround } from "../bench/ground.ts";
import type { Measure } from "../bench/measure.ts";
import { measureAll } from "../bench/measures.ts";
import { action } from "../context.ts";
import { interruption } from "../interruption.ts";
import type { Column } from "../output/table.ts";

export function define(command: Command): void {
  command
    .description("Measure this installation from this process, on names of its own that it removes.")
    .option("--seconds <number>", "for each measure", seconds, 1)
    .action(
      action(async ({ output, session }, options: { readonly seconds: number }) => {
        const signal = interruption();
        const ground = await openGround(session);
        try {
          if (!output.isJson) output.note("Measuring. Whoever else uses the stores makes it slower, and is made slower by it.");
          await output.list(columns, measureAll(ground, { ...options, hasRecord: session.hasPostgres, signal }));
        } finally {
          await ground.clear();
        }
      }),
    );
}

const columns: readonly Column<Measure>[] = [
  { title: "MEASURE", text: ({ measure }) => measure },
  { title: "COUNT", text: ({ count }) => count.toLocaleString("en"), plain: ({ count }) => count, align: "right" },
  { title: "A SECOND", text: ({ perSecond }) => perSecond?.toLocaleString("en"), plain: ({ perSecond }) => perSecond, align: "right" },
  { title: "P50", text: ({ p50Ms }) => p50Ms && `${p50Ms} ms`, plain: ({ p50Ms }) => p50Ms, align: "right" },
  { title: "P99", text: ({ p99Ms }) => p99Ms && `${p99Ms} ms`, plain: ({ p99Ms }) => p99Ms, align: "right" },
];

function seconds(text: string): number {
  const number = Number(text);
  if (number > 0 && number <= 60) return number;
  throw new InvalidArgumentError("It must be a number above 0, and up to 60.");
}
