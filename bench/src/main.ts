import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cases } from "./cases/index.ts";
import { parseCommandLine, type Request } from "./command-line.ts";
import { describeMachine, machineLine } from "./report/machine.ts";
import { writeResults } from "./report/results.ts";
import { printTable } from "./report/table.ts";
import { Servers } from "./servers/servers.ts";
import { createBench } from "./suite/bench.ts";
import { runRounds, type CaseResult } from "./suite/rounds.ts";

const resultsFolder = join(import.meta.dirname, "..", "results");

async function runAll(request: Request): Promise<void> {
  const servers = await Servers.start();
  // Ctrl-C: the contenders' processes end with this one, but the servers would stay behind.
  process.once("SIGINT", () => void servers.stop().finally(() => process.exit(130)));
  try {
    const machine = await describeMachine(servers);
    console.log(machineLine(machine));
    const bench = createBench(servers, request.isQuick);
    const results: CaseResult[] = [];
    for (const benchCase of request.cases) {
      const result = await runRounds(benchCase, bench, request.rounds, request.isQuick ? () => {} : console.log);
      results.push(result);
      if (request.isQuick) console.log(quickLine(result));
    }
    if (request.isQuick) await withTemporaryFolder((folder) => writeResults(folder, machine, results));
    else await publish(machine, results);
    const failed = results.filter((result) => result.failures.length > 0).length;
    console.log(`\n${results.length - failed} passed, ${failed} failed`);
    if (failed > 0) process.exitCode = 1;
  } finally {
    await servers.stop();
  }
}

async function publish(machine: Awaited<ReturnType<typeof describeMachine>>, results: readonly CaseResult[]): Promise<void> {
  printTable(results);
  await writeResults(resultsFolder, machine, results);
}

function quickLine({ benchCase, failures }: CaseResult): string {
  if (failures.length === 0) return `ok      ${benchCase.name}`;
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
  if (request.isListOnly) for (const { name, title } of cases) console.log(`${name.padEnd(20)}${title}`);
  else await runAll(request);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
