import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cases } from "./cases/index.ts";
import { parseCommandLine, type Request } from "./command-line.ts";
import { describeMachine, machineLine } from "./report/machine.ts";
import { writeResults } from "./report/results.ts";
import { printTable } from "./report/table.ts";
import { Servers } from "./servers/servers.ts";
import { againstOlder } from "./suite/against.ts";
import { Bench } from "./suite/bench.ts";
import { olderSources, type Sources } from "./suite/older-sources.ts";
import { runRounds, type CaseResult } from "./suite/rounds.ts";

const resultsFolder = join(import.meta.dirname, "..", "results");
// What documents show comes from a run of everything: a run of some cases leaves it alone.
const latest = { json: join(resultsFolder, "latest.json"), chart: join(resultsFolder, "chart.svg") };
const partial = { json: join(resultsFolder, "partial.json"), chart: join(resultsFolder, "partial.svg") };

async function runAll(request: Request): Promise<void> {
  if (!request.against) return runCases(request);
  const { revision, percent } = request.against;
  const sources = olderSources(revision);
  try {
    await runCases(request, { sources, percent });
  } finally {
    sources.remove();
  }
}

async function runCases(request: Request, against?: { readonly sources: Sources; readonly percent: number }): Promise<void> {
  const servers = await Servers.start();
  const bench = new Bench(servers, { isQuick: request.isQuick });
  const older = against && {
    name: against.sources.name,
    bench: new Bench(servers, {
      isQuick: request.isQuick,
      entry: join(against.sources.folder, "bench", "src", "process", "contender-process.ts"),
    }),
  };
  try {
    const machine = await describeMachine(bench.servers, request.rounds);
    console.log(machineLine(machine));
    const results: CaseResult[] = [];
    for (const asked of request.cases) {
      const benchCase = older ? againstOlder(asked, older, against.percent) : asked;
      const start = performance.now();
      const result = await runRounds(benchCase, bench, request.rounds, request.isQuick ? () => {} : console.log);
      results.push(result);
      if (request.isQuick) console.log(quickLine(result, performance.now() - start));
    }
    if (request.isQuick) {
      await withTemporaryFolder((folder) =>
        writeResults({ json: join(folder, "quick.json"), chart: join(folder, "quick.svg") }, machine, results),
      );
    } else {
      printTable(results);
      await writeResults(results.length === cases.length && !older ? latest : partial, machine, results);
    }
    const failed = results.filter((result) => result.failures.length > 0).length;
    console.log(`\n${results.length - failed} passed, ${failed} failed`);
    if (failed > 0) process.exitCode = 1;
  } finally {
    await older?.bench.stop();
    await bench.stop();
    await servers.stop();
  }
}

function quickLine({ benchCase, failures, missing }: CaseResult, elapsedMs: number): string {
  const without = missing.length === 0 ? "" : `, without ${missing.map((line) => line.split(":")[0]).join(", ")}`;
  if (failures.length === 0) return `ok      ${benchCase.name.padEnd(28)}${(elapsedMs / 1_000).toFixed(1)} s${without}`;
  return `FAILED  ${benchCase.name}\n${failures.map((failure) => `        ${failure}`).join("\n")}`;
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

try {
  const request = parseCommandLine(process.argv.slice(2), cases);
  if (request.isListOnly) for (const { name, title } of cases) console.log(`${name.padEnd(28)}${title}`);
  else await runAll(request);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
