import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeMachine, machineLine } from "../report/machine.ts";
import { writeResults, type ResultFiles } from "../report/results.ts";
import { printTable } from "../report/table.ts";
import { Servers } from "../servers/servers.ts";
import { againstOlder } from "./against.ts";
import { Bench, type BenchOptions } from "./bench.ts";
import type { Case } from "./case.ts";
import type { Sources } from "./older-sources.ts";
import { runRounds, type CaseResult } from "./rounds.ts";

export interface Run {
  readonly cases: readonly Case[];
  readonly rounds: number;
  /** Where figures go; those of a quick run mean nothing, and go nowhere. */
  readonly files: ResultFiles;
  /** Keyline beside itself as it was, at most so much worse. */
  readonly against?: { readonly sources: Sources; readonly percent: number };
  readonly options: BenchOptions;
}

/** Runs the cases one after the other, says what came of them, and resolves with how many of them failed. */
export async function runCases({ cases, rounds, files, against, options }: Run): Promise<number> {
  const servers = await Servers.start();
  const bench = new Bench(servers, options);
  const older = against && { name: against.sources.name, bench: new Bench(servers, { ...options, entry: entryOf(against.sources) }) };
  try {
    const machine = await describeMachine(servers, rounds);
    console.log(machineLine(machine));
    const results: CaseResult[] = [];
    for (const asked of cases) {
      const benchCase = older ? againstOlder(asked, older, against.percent) : asked;
      const start = performance.now();
      const result = await runRounds(benchCase, bench, rounds, options.isQuick ? () => {} : console.log);
      results.push(result);
      if (options.isQuick) console.log(quickLine(result, performance.now() - start));
    }
    if (options.isQuick) {
      await withTemporaryFolder((folder) =>
        writeResults({ json: join(folder, "quick.json"), chart: join(folder, "quick.svg") }, machine, results),
      );
    } else {
      printTable(results);
      await writeResults(files, machine, results);
    }
    const failed = results.filter((result) => result.failures.length > 0).length;
    console.log(`\n${results.length - failed} passed, ${failed} failed`);
    return failed;
  } finally {
    await older?.bench.stop();
    await bench.stop();
    await servers.stop();
  }
}

function entryOf({ folder }: Sources): string {
  return join(folder, "bench", "src", "process", "contender-process.ts");
}

function quickLine({ benchCase, failures, missing }: CaseResult, elapsedMs: number): string {
  const without = missing.length === 0 ? "" : `, without ${missing.map((line) => line.split(":")[0]).join(", ")}`;
  if (failures.length === 0) return `ok      ${benchCase.name.padEnd(28)}${(elapsedMs / 1_000).toFixed(1)} s${without}`;
  return `FAILED  ${benchCase.name}\n${failures.map(({ contender, reason }) => `        ${contender}: ${reason}`).join("\n")}`;
}

/** A quick run's figures mean nothing, but writing them must work. */
async function withTemporaryFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "keyline-bench-"));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
