import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CaseResult } from "../suite/rounds.ts";
import { judge } from "../suite/verdict.ts";
import { drawChart } from "./chart.ts";
import type { Machine } from "./machine.ts";

/** Writes `latest.json` and `chart.svg` into the folder. */
export async function writeResults(folder: string, machine: Machine, results: readonly CaseResult[]): Promise<void> {
  const cases = results.map((result) => ({
    name: result.benchCase.name,
    title: result.benchCase.title,
    figures: result.benchCase.figures,
    contenders: result.contenders,
    goals: judge(result),
    failures: result.failures,
  }));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "latest.json"), `${JSON.stringify({ machine, cases }, null, 2)}\n`);
  await writeFile(join(folder, "chart.svg"), drawChart(machine, results));
}
