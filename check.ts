// `npm test`: everything that must hold, from the quickest to the slowest. All steps run, also after one has failed, and the last
// line counts: a test is one, and so is a step that is no test.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

interface Tally {
  readonly passed: number;
  readonly failed: number;
}

interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Finds the tally in what the step left behind; without it the step counts as one. */
  tally?(): Promise<Tally>;
}

const bin = (name: string): string => join(import.meta.dirname, "node_modules", ".bin", name);
const scratch = mkdtempSync(join(tmpdir(), "keyline-check-"));
const testReport = join(scratch, "tests.json");
const againReport = join(scratch, "again.json");
const testArgs = (report: string): string[] => [
  join(import.meta.dirname, "node_modules/vitest/vitest.mjs"),
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${report}`,
];

interface TestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

const readReport = (file: string): TestReport => JSON.parse(readFileSync(file, "utf8")) as TestReport;

function tallyTests(report: TestReport): Tally {
  // A file that could not even be loaded has no tests, and is a failure all the same.
  const broken = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
  return { passed: report.numPassedTests, failed: report.numFailedTests + broken };
}

function failedTests(report: TestReport): string[] {
  return report.testResults
    .filter(({ status }) => status === "failed")
    .flatMap(({ name, assertionResults }) => {
      const file = relative(import.meta.dirname, name);
      const failed = assertionResults.filter(({ status }) => status === "failed").map(({ fullName }) => `${file}: ${fullName}`);
      return failed.length > 0 ? failed : [file];
    });
}

/**
 * Files with failures are run once more, one after the other: a machine that does other work is slow enough for a few of some thousand tests. What fails again
 * has failed. What passes alone is named as unsteady, which is a defect to be mended, and none that stops others.
 */
async function runFailedAgain(): Promise<Tally> {
  const first = readReport(testReport);
  const tally = tallyTests(first);
  if (tally.failed === 0) return tally;
  const files = first.testResults.filter(({ status }) => status === "failed").map(({ name }) => name);
  console.log(`\n> tests that failed, once more by themselves\n${failedTests(first).join("\n")}`);
  const isOk = await run({ name: "again", command: process.execPath, args: [...testArgs(againReport), "--maxWorkers=1", ...files] });
  const second = readReport(againReport);
  const failed = Math.max(tallyTests(second).failed, isOk ? 0 : 1);
  const stillFailed = new Set(failedTests(second));
  const unsteady = failedTests(first).filter((name) => !stillFailed.has(name));
  if (unsteady.length > 0) console.log(`\nUNSTEADY, passed only by themselves:\n${unsteady.join("\n")}`);
  if (stillFailed.size > 0) console.log(`\nFAILED twice:\n${[...stillFailed].join("\n")}`);
  return { passed: tally.passed + Math.max(0, tally.failed - failed), failed };
}

const packages = ["keyline", "embedded", "client", "tokens", "gateway", "console", "cli"].flatMap((name): Step[] => {
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
    args: testArgs(testReport),
    tally: runFailedAgain,
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

async function tallyOf(step: Step, isOk: boolean): Promise<Tally> {
  if (!step.tally) return isOk ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  try {
    const before = readReport(testReport).numFailedTests;
    const tally = await step.tally();
    // A runner that failed without a failed test failed itself.
    return isOk || tally.failed > 0 || before > 0 ? tally : { ...tally, failed: 1 };
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
  const tally = await tallyOf(step, isOk);
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
