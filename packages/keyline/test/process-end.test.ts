import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "./support/stage.ts";

// A script that does its work and says no more ends by itself; what it has called takes effect all the same.

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

/** Runs a program that has a `keyline`, on these addresses. */
function run(program: string, { valkey = stage.valkeyUrl, postgres = stage.databaseUrl } = {}) {
  const options = JSON.stringify({ valkey, postgres, prefix: stage.prefix });
  const text = `import { Keyline } from "keyline"; const keyline = new Keyline(${options}); ${program}`;
  const args = ["--conditions=development", "--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", text];
  const child = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  const ended = once(child, "close").then(() => ({ code: child.exitCode, output }));
  return { child, ended, output: () => output };
}

test.each([
  ["nothing", "", () => true],
  [
    "an add that it does not await",
    `void keyline.queue("a").add(1);`,
    async () => (await stage.keyline().queue("a").counts()).waiting === 1,
  ],
  [
    "an add to a transactional queue, which is delivered",
    `await keyline.queue("b", { transactional: true }).add(1);`,
    async () => (await stage.valkey.llen(`${stage.prefix}:{b}:waiting`)) === 1,
  ],
  [
    "an add within a transaction, which is delivered",
    `const queue = keyline.queue("c", { transactional: true });
     void keyline.transaction((tx) => queue.add(1, { tx }));`,
    async () => (await stage.valkey.llen(`${stage.prefix}:{c}:waiting`)) === 1,
  ],
  [
    "a publish within a transaction, which goes out",
    `const channel = keyline.channel("d", { history: { size: 10 } });
     await keyline.transaction((tx) => channel.publish(1, { tx }));`,
    async () => (await stage.valkey.xlen(`${stage.prefix}:{d}:history`)) === 1,
  ],
  [
    "a declaration of a schedule",
    `void keyline.queue("s").schedule("daily", { cron: "0 3 * * *", data: 1 });`,
    async () => (await stage.valkey.hlen(`${stage.prefix}:{s}:schedules`)) === 1,
  ],
  [
    "a declaration of a schedule of a transactional queue",
    `void keyline.queue("t", { transactional: true }).schedule("daily", { cron: "0 3 * * *", data: 1 });`,
    async () => (await stage.pool.query("SELECT FROM keyline.schedule WHERE queue = 't'")).rows.length === 1,
  ],
  ["an append", `void keyline.stream("e").append(1);`, async () => (await stage.valkey.xlen(`${stage.prefix}:{e}:events`)) === 1],
  [
    "an append to a transactional stream, which is copied",
    `await keyline.stream("f", { transactional: true }).append(1);`,
    async () => (await stage.valkey.xlen(`${stage.prefix}:{f}:events`)) === 1,
  ],
  ["a worker that was stopped", `const worker = keyline.queue("g").work(() => {}); await worker.stop();`, () => true],
  [
    "waits for results, one after the other",
    `const queue = keyline.queue("j", { keepResult: 60_000 }); const worker = queue.work(() => 1);
     for (let n = 0; n < 2; n++) await queue.waitFor((await queue.add(n)).id, { timeout: 600_000 });
     await worker.stop();`,
    () => true,
  ],
  [
    "a wait whose time is over",
    `const queue = keyline.queue("k", { keepResult: 60_000 });
     await queue.waitFor((await queue.add(1)).id, { timeout: 50 }).catch(() => undefined);`,
    () => true,
  ],
  [
    "a subscription that was closed",
    `const subscription = keyline.channel("h").subscribe(() => {}); await subscription.ready; await subscription.close();`,
    () => true,
  ],
  ["await using", `{ await using other = new Keyline({ valkey: "valkey://127.0.0.1:1" }); }`, () => true],
])("a process ends after %s", async (_, program, isDone) => {
  const { code, output } = await run(program).ended;
  expect({ code, output }).toEqual({ code: 0, output: "" });
  await eventually("it took effect", isDone);
});

test("a process ends while Valkey and PostgreSQL are away, when it waits for neither", async () => {
  const away = { valkey: "valkey://127.0.0.1:1", postgres: "postgres://127.0.0.1:1/none" };
  const program = `await keyline.queue("b", { transactional: true }).add(1).catch((error) => console.log(error.code));`;
  expect(await run(program, away).ended).toEqual({ code: 0, output: "POSTGRES_UNAVAILABLE\n" });
});

test.each([
  ["worker", `keyline.queue("w").work(() => {}).on("idle", () => console.log("there"));`],
  ["consumer", `await keyline.stream("w").append(1); keyline.stream("w").consume("g", () => {}).on("idle", () => console.log("there"));`],
  ["subscription", `const subscription = keyline.channel("w").subscribe(() => {}); subscription.ready.then(() => console.log("there"));`],
  ["follower", `setTimeout(() => console.log("there"), 1); for await (const entry of keyline.stream("x").follow());`],
])("a process with a %s goes on", async (_, program) => {
  const { child, ended, output } = run(program);
  await eventually("it is there", () => output() === "there\n");
  // Longer than anything that might hold it for a while only.
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  expect(child.exitCode).toBeNull();
  child.kill("SIGKILL");
  await ended;
});

test("closing one that has done its work waits for nothing", async () => {
  const keyline = stage.keyline();
  await keyline.queue("i", { transactional: true }).add(1);
  await keyline.channel("i", { history: { size: 10 } }).publish(1);
  await keyline.stream("i", { transactional: true }).append(1);
  const begun = performance.now();
  await keyline.close();
  expect(performance.now() - begun).toBeLessThan(4_000);
});
