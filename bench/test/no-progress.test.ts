import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Valkey } from "iovalkey";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { expectRegular } from "../src/cases/delivery.ts";
import type { BenchOptions } from "../src/suite/bench.ts";
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

const run = (cases: readonly Case[], options: BenchOptions = { isQuick: false, entry, patienceMs: 4_000 }): Promise<number> =>
  runCases({ cases, rounds: 1, files: { json: join(folder, "results.json"), chart: join(folder, "chart.svg") }, options });

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
  const failed = await run([planted("first", ["whole", "halfway"], drains), planted("second", ["whole"], drains)], {
    isQuick: true,
    entry,
    patienceMs: 4_000,
  });
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

const messages = 10;
const limit = "client-output-buffer-limit";

/** What a check hears of some messages: all of them, or of the contender `cut-off` half, behind which there is one that is more than it may be behind. */
const publishes: Case["run"] = async (contender, bench) => {
  const url = await bench.servers.freshValkey();
  const tap = bench.start("tap", { valkey: url, messages });
  await tap.ready();
  const tapped = tap.run();
  const valkey = new Valkey(url);
  const isCutOff = contender === "cut-off";
  if (isCutOff) await valkey.config("SET", limit, "pubsub 1mb 0 0");
  for (let seq = 0; seq < messages / (isCutOff ? 2 : 1); seq++) await valkey.publish("news", `{"seq":${seq},"text":""}\n`);
  if (isCutOff) {
    await valkey.publish("news", "x".repeat(4_000_000));
    await valkey.config("SET", limit, "pubsub 32mb 8mb 60");
  }
  valkey.disconnect();
  await tapped;
  expectRegular(await tap.dismiss());
  return { figures: { throughput: 1 } };
};

test("a check that the server cuts off says so, with how far it had come, and the run goes on", async () => {
  const published = { ...planted("published", ["cut-off", "heard"], publishes), goals: [] };
  expect(await run([published], { isQuick: false, patienceMs: 8_000 })).toBe(1);
  const results: Results = JSON.parse(await readFile(join(folder, "results.json"), "utf8"));
  const [only] = results.cases;
  expect(only?.failures.map(({ contender }) => contender)).toEqual(["cut-off"]);
  expect(only?.failures[0]?.reason).toMatch(/^no progress for 8 s after 5 of 10 messages came to everybody \(Nothing more came: .+\)$/);
  expect(only?.contenders.map(({ contender }) => contender)).toEqual(["heard"]);
}, 120_000);
