/*
 * `npm run soak -- --seed 42 --minutes 10`: random faults over all shapes until the time is over, a run of two minutes for each seed from that one on.
 * Exits with 0 when all runs are valid, with 1 when one is invalid, with 2 when one proves nothing.
 *
 *   --seed N        the first seed; without it one by chance
 *   --minutes M     how long (default 2)
 *   --faults a,b    only faults of these kinds (plan.ts lists them)
 *   --keep FOLDER   keeps the histories of all runs there, not only of invalid ones
 *   --faults-ms N, --patience-ms N   how long faults strike, and how long everything may take to recover and to drain
 *   --mutants [a,b] plants each known bug (or the named ones) in a copy of the sources, and demands that it is found: mutants.ts
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { hunt } from "./hunt.ts";
import type { FaultKind } from "./plan.ts";
import { fullCast, soak, type SoakReport } from "./soak.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string" },
    minutes: { type: "string", default: "2" },
    faults: { type: "string" },
    keep: { type: "string" },
    mutants: { type: "boolean", default: false },
    "faults-ms": { type: "string" },
    "patience-ms": { type: "string", default: "90000" },
  },
});
const firstSeed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
const minutes = Number(values.minutes);
if (!Number.isSafeInteger(firstSeed) || !(minutes > 0)) throw new Error("--seed takes an integer and --minutes a number above zero");

const revision = spawnSync("git", ["describe", "--always", "--dirty"], { cwd: import.meta.dirname, encoding: "utf8" }).stdout.trim();
console.log(`seed ${firstSeed}, revision ${revision === "" ? "unknown" : revision}`);
process.exit(values.mutants ? await hunt({ names: positionals.flatMap((each) => each.split(",")), firstSeed }) : await runAll());

async function runAll(): Promise<number> {
  const end = performance.now() + minutes * 60_000;
  const verdicts: SoakReport["verdict"][] = [];
  for (let seed = firstSeed; seed === firstSeed || end - performance.now() > 60_000; seed++) {
    const leftMs = Math.max(20_000, Math.min(120_000, end - performance.now()) - 30_000);
    const faultsMs = Number(values["faults-ms"] ?? leftMs);
    const report = await soak({
      seed,
      quietMs: 5_000,
      faultsMs,
      cast: fullCast,
      ...(values.faults === undefined ? {} : { kinds: values.faults.split(",") as FaultKind[] }),
      folder: values.keep === undefined ? undefined : join(values.keep, String(seed)),
      recoverMs: Number(values["patience-ms"]),
      drainMs: Number(values["patience-ms"]),
      log: (line) => console.log(`  ${new Date().toISOString().slice(11, 19)} ${line}`),
    });
    print(seed, report);
    verdicts.push(report.verdict);
  }
  const count = (verdict: SoakReport["verdict"]): number => verdicts.filter((each) => each === verdict).length;
  console.log(`\n${count("valid")} valid, ${count("invalid")} invalid, ${count("unknown")} unknown; revision ${revision}`);
  if (count("invalid") > 0) return 1;
  return count("unknown") > 0 ? 2 : 0;
}

function print(seed: number, { verdict, violations, reasons, counts, struck, folder }: SoakReport): void {
  const proven = struck.filter(({ proof }) => proof !== undefined).length;
  const ends = Object.entries(counts).map(([what, count]) => `${what} ${count}`);
  console.log(`  ${ends.toSorted().join(", ")}`);
  for (const { rule, what, examples } of violations) console.log(`  ${rule}: ${what}\n    ${examples.join("\n    ")}`);
  for (const reason of reasons) console.log(`  I0: ${reason}`);
  console.log(
    `seed ${seed}: ${verdict} after ${struck.length} faults, ${proven} of them proven${verdict === "valid" ? "" : `; history in ${folder}`}`,
  );
}
