// `npm test`: everything that must hold, from the quickest to the slowest. All steps run, also after one has failed, and the last
// line counts: a test is one, and so is a step that is no test.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Tally {
  readonly passed: number;
  readonly failed: number;
}

interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Reads the tally from what the step left behind; without it the step counts as one. */
  tally?(): Tally;
}

const bin = (name: string): string => join(import.meta.dirname, "node_modules", ".bin", name);
const scratch = mkdtempSync(join(tmpdir(), "keyline-check-"));
const testReport = join(scratch, "tests.json");

function readTestReport(): Tally {
  const report = JSON.parse(readFileSync(testReport, "utf8")) as {
    readonly numPassedTests: number;
    readonly numFailedTests: number;
    readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
  };
  // A file that could not even be loaded has no tests, and is a failure all the same.
  const broken = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
  return { passed: report.numPassedTests, failed: report.numFailedTests + broken };
}

const packages = ["keyline", "embedded", "client", "gateway"].flatMap((name): Step[] => {
  const folder = join(import.meta.dirname, "packages", name);
  const dist = join(folder, "dist");
  return [
    { name: `build of ${name}`, command: "npm", args: ["run", "build", "--silent"], cwd: folder },
    { name: `publint of ${name}`, command: bin("publint"), args: ["--strict", dist] },
    { name: `types of ${name} as others see them`, command: bin("attw"), args: ["--pack", dist, "--profile", "esm-only"] },
  ];
});

const steps: readonly Step[] = [
  { name: "format", command: bin("prettier"), args: ["--check", "--log-level", "warn", "."] },
  { name: "lint", command: bin("oxlint"), args: ["--type-aware", "--deny-warnings"] },
  { name: "types", command: bin("tsc"), args: ["--noEmit", "-p", "tsconfig.json"] },
  { name: "dead code", command: bin("knip"), args: ["--no-progress"] },
  ...packages,
  {
    name: "tests",
    command: process.execPath,
    args: [
      join(import.meta.dirname, "node_modules/vitest/vitest.mjs"),
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${testReport}`,
    ],
    tally: readTestReport,
  },
  {
    name: "every benchmark case once",
    command: process.execPath,
    args: ["--conditions=development", join(import.meta.dirname, "bench/src/main.ts"), "--quick"],
  },
];

function run({ command, args, cwd }: Step): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: cwd ?? import.meta.dirname, stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", (error) => {
      console.error(error.message);
      resolve(false);
    });
    child.on("exit", (code) => resolve(code === 0));
  });
}

function tallyOf(step: Step, isOk: boolean): Tally {
  if (!step.tally) return isOk ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  try {
    const tally = step.tally();
    // A runner that failed without a failed test failed itself.
    return isOk || tally.failed > 0 ? tally : { ...tally, failed: 1 };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

const wanted = process.argv.slice(2);
const failures: string[] = [];
let passed = 0;
let failed = 0;
for (const step of steps) {
  if (wanted.length > 0 && !wanted.some((word) => step.name.includes(word))) continue;
  const started = performance.now();
  console.log(`\n> ${step.name}`);
  const isOk = await run(step);
  const tally = tallyOf(step, isOk);
  passed += tally.passed;
  failed += tally.failed;
  if (tally.failed > 0) failures.push(step.name);
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  console.log(`${tally.failed > 0 ? "FAILED" : "ok"}: ${step.name} (${seconds} s)`);
}
rmSync(scratch, { recursive: true, force: true });
if (failures.length > 0) console.log(`\nFailed: ${failures.join(", ")}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
