import type { Costs } from "../suite/case.ts";
import type { CaseResult } from "../suite/rounds.ts";
import { judge } from "../suite/verdict.ts";
import { formatFigure } from "./figures.ts";

/** All figures, then all goals. */
export function printTable(results: readonly CaseResult[]): void {
  for (const result of results) {
    console.log(`\n${result.benchCase.name}: ${result.benchCase.title}`);
    console.log(alignColumns(figureRows(result)));
    for (const { contender, round, reason } of result.failures) console.log(`  ${contender}  FAILED in round ${round}: ${reason}`);
    for (const line of result.missing) console.log(`  left out ${line}`);
  }
  const goals = results.flatMap(goalRows);
  if (goals.length > 0) console.log(`\nGoals\n${alignColumns([["case", "contender", "figure", "goal", "reached", ""], ...goals])}`);
}

function figureRows({ benchCase, contenders }: CaseResult): string[][] {
  const kinds = Object.entries(benchCase.figures);
  const heads = kinds.map(([, kind]) => `${kind.label} (${kind.unit})`);
  const hasCosts = contenders.some((contender) => contender.costs);
  const hasNats = contenders.some(({ costs }) => costs?.natsCpuUs !== undefined);
  const rows = contenders.map(({ contender, figures, costs }) => [
    contender,
    ...kinds.map(([name]) => formatFigure(figures[name] ?? Number.NaN)),
    ...(hasCosts ? costColumns(costs, hasNats) : []),
  ]);
  return [["", ...heads, ...(hasCosts ? costHeads(benchCase.costsPer ?? "job", hasNats) : [])], ...rows];
}

const costKinds: readonly (readonly [kind: keyof Costs, head: string])[] = [
  ["valkeyCommands", "Valkey commands"],
  ["valkeyCpuUs", "Valkey µs"],
  ["valkeyBytes", "Valkey bytes"],
  ["postgresCpuUs", "PostgreSQL µs"],
  ["natsCpuUs", "NATS µs"],
  ["clientCpuUs", "client µs"],
];

function kindsShown(hasNats: boolean): typeof costKinds {
  return costKinds.filter(([kind]) => hasNats || kind !== "natsCpuUs");
}

function costHeads(per: string, hasNats: boolean): string[] {
  return kindsShown(hasNats).map(([, head]) => `${head}/${per}`);
}

function costColumns(costs: Costs | undefined, hasNats: boolean): string[] {
  return kindsShown(hasNats).map(([kind]) => {
    const cost = costs?.[kind];
    return cost === undefined ? "-" : formatFigure(cost);
  });
}

function goalRows(result: CaseResult): string[][] {
  return judge(result).map(({ contender, figure, goal, reached, isMet }) => [
    result.benchCase.name,
    contender,
    result.benchCase.figures[figure]?.label ?? figure,
    goal,
    reached === undefined ? "-" : formatFigure(reached),
    isMet ? "met" : "NOT MET",
  ]);
}

/** The first column to the left, the others to the right unless they hold words. */
function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const isNumeric = widths.map((_, column) => rows.slice(1).every((row) => /^[-\d.,]*$/.test(row[column] ?? "")));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (isNumeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join("\n");
}
