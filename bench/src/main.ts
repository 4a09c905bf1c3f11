import { join } from "node:path";
import { cases } from "./cases/index.ts";
import { parseCommandLine, type Request } from "./command-line.ts";
import { olderSources } from "./suite/older-sources.ts";
import { runCases } from "./suite/run-cases.ts";

const resultsFolder = join(import.meta.dirname, "..", "results");
// What documents show comes from a run of everything: a run of some cases leaves it alone.
const latest = { json: join(resultsFolder, "latest.json"), chart: join(resultsFolder, "chart.svg") };
const partial = { json: join(resultsFolder, "partial.json"), chart: join(resultsFolder, "partial.svg") };

async function run({ cases: asked, isQuick, rounds, against }: Request): Promise<number> {
  const isWhole = asked.length === cases.length && !against;
  const plan = { cases: asked, rounds, files: isWhole ? latest : partial, options: { isQuick } };
  if (!against) return runCases(plan);
  const sources = olderSources(against.revision);
  try {
    return await runCases({ ...plan, against: { sources, percent: against.percent } });
  } finally {
    sources.remove();
  }
}

try {
  const request = parseCommandLine(process.argv.slice(2), cases);
  if (request.isListOnly) for (const { name, title } of cases) console.log(`${name.padEnd(28)}${title}`);
  else if ((await run(request)) > 0) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
