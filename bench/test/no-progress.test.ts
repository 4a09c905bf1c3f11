import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Case } from "../src/suite/case.ts";
import { runCases } from "../src/suite/run-cases.ts";

const entry = join(import.meta.dirname, "support", "planted-process.ts");
const jobs = 10_000;

let folder: string;
let said: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "keyline-bench-test-"));
  said = [];
  vi.spyOn(console, "log").mockImplementation((line: unknown) => void said.push(String(line)));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

function planted(name: string, contenders: readonly string[], run: Case["run"]): Case {
  const figures = { throughput: { label: "throughput", unit: "jobs/s", better: "higher" } } as const;
  return { name, title: name, contenders, figures, goals: [{ figure: "throughput", against: ["whole"], atLeast: 1 }], run };
}

const drains: Case["run"] = async (contender, bench) => {
  const options = { valkey: await bench.servers.freshValkey(), name: "planted", payloadBytes: 200 };
  const worker = bench.start("drain", { contender, options, jobs, lead: 0, concurrency: 1 });
  await worker.ready();
  await worker.run();
  await worker.dismiss();
  return { figures: { throughput: 1 } };
};

const run = (cases: readonly Case[], { isQuick = false } = {}): Promise<number> =>
  runCases({
    cases,
    rounds: 1,
    files: { json: join(folder, "results.json"), chart: join(folder, "chart.svg") },
    options: { isQuick, entry, patienceMs: 4_000 },
  });

interface Results {
  readonly cases: readonly {
    readonly name: string;
    readonly contenders: readonly { readonly contender: string }[];
    readonly failures: readonly { readonly contender: string; readonly reason: string; readonly stoppedAt?: readonly object[] }[];
  }[];
}

test("a contender that stops half way is ended and named, and the run goes on", async () => {
  const failed = await run([planted("first", ["halfway", "frozen", "whole"], drains), planted("second", ["whole"], drains)]);
  expect(failed).toBe(1);
  const results: Results = JSON.parse(await readFile(join(folder, "results.json"), "utf8"));
  const [first, second] = results.cases;
  const reason = "no progress for 4 s after 5,000 of 10,000 jobs were delivered";
  const stoppedAt = [{ what: "jobs were delivered", done: 5_000, of: 10_000 }];
  expect(first?.failures).toEqual([
    { contender: "halfway", round: 1, reason, stoppedAt, rounds: [] },
    { contender: "frozen", round: 1, reason, stoppedAt, rounds: [] },
  ]);
  expect(first?.contenders.map(({ contender }) => contender)).toEqual(["whole"]);
  expect(second?.failures).toEqual([]);
  expect(second?.contenders.map(({ contender }) => contender)).toEqual(["whole"]);
  expect(said.join("\n")).toContain(`  halfway  FAILED in round 1: ${reason}`);
  expect(said.at(-1)).toBe("\n1 passed, 1 failed");
});

test("a quick run goes on with a process that has not been killed", async () => {
  const failed = await run([planted("first", ["whole", "halfway"], drains), planted("second", ["whole"], drains)], { isQuick: true });
  expect(failed).toBe(1);
  expect(said.filter((line) => line.startsWith("ok"))).toHaveLength(1);
});

test("a bench that waits itself while a process does nothing goes on, too", async () => {
  const waits: Case["run"] = async (contender, bench) => {
    const worker = bench.start("drain", { contender, options: { valkey: "", name: "", payloadBytes: 0 }, jobs, lead: 0, concurrency: 1 });
    await worker.ready();
    return new Promise(() => undefined);
  };
  expect(await run([planted("first", ["waits"], waits), planted("second", ["whole"], drains)])).toBe(1);
  expect(said.join("\n")).toContain("waits  FAILED in round 1: no progress for 4 s");
}, 120_000);
