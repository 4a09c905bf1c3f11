import type { Costs } from "../suite/case.ts";
import type { CaseResult } from "../suite/rounds.ts";
import { judge } from "../suite/verdict.ts";
import { formatFigure } from "./figures.ts";

/** All figures, then all goals. */
export function printTable(results: readonly CaseResult[]): void {
  for (const result of results) {
    console.log(`\n${result.benchCase.name}: ${result.benchCase.title}`);
    console.log(alignColumns(figureRows(result)));
    for (const failure of result.failures) console.log(`  FAILED ${failure}`);
  }
  const goals = results.flatMap(goalRows);
  if (goals.length > 0) console.log(`\nGoals\n${alignColumns([["case", "contender", "figure", "goal", "reached", ""], ...goals])}`);
}

function figureRows({ benchCase, contenders }: CaseResult): string[][] {
  const kinds = Object.entries(benchCase.figures);
  const heads = kinds.map(([, kind]) => `${kind.label} (${kind.unit})`);
  const hasCosts = contenders.some((contender) => contender.costs);
  const rows = contenders.map(({ contender, figures, costs }) => [
    contender,
    ...kinds.map(([name]) => formatFigure(figures[name] ?? Number.NaN)),
    ...(hasCosts ? costColumns(costs) : []),
  ]);
  return [["", ...heads, ...(hasCosts ? costHeads(benchCase.costsPer ?? "job") : [])], ...rows];
}

const costKinds = ["Valkey commands", "Valkey µs", "Valkey bytes", "PostgreSQL µs", "client µs"];

function costHeads(per: string): string[] {
  return costKinds.map((kind) => `${kind}/${per}`);
}

function costColumns(costs: Costs | undefined): string[] {
  if (!costs) return costKinds.map(() => "-");
  const { valkeyCommands, valkeyCpuUs, valkeyBytes, postgresCpuUs, clientCpuUs } = costs;
  return [valkeyCommands, valkeyCpuUs, valkeyBytes, postgresCpuUs, clientCpuUs].map((cost) =>
    cost === undefined ? "-" : formatFigure(cost),
  );
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
