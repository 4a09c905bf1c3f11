import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { CaseResult } from "../suite/rounds.ts";
import { judge } from "../suite/verdict.ts";
import { drawChart } from "./chart.ts";
import type { Machine } from "./machine.ts";

export interface ResultFiles {
  readonly json: string;
  readonly chart: string;
}

export async function writeResults(files: ResultFiles, machine: Machine, results: readonly CaseResult[]): Promise<void> {
  const cases = results.map((result) => ({
    name: result.benchCase.name,
    title: result.benchCase.title,
    figures: result.benchCase.figures,
    contenders: result.contenders,
    goals: judge(result),
    failures: result.failures,
    missing: result.missing,
  }));
  await mkdir(dirname(files.json), { recursive: true });
  await mkdir(dirname(files.chart), { recursive: true });
  await writeFile(files.json, `${JSON.stringify({ machine, cases }, null, 2)}\n`);
  await writeFile(files.chart, drawChart(machine, results));
}
