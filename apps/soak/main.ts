/*
 * `npm run soak:apps -- --minutes 60`: starts the applications as `npm start` does, sends visitors that come and go, and compares the
 * memory of each of their processes at the end with that after five minutes. Exits with 1 when one has grown by more than a tenth.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { MemoryWatch } from "./memory-watch.ts";
import { Visitors } from "./visitors.ts";

const allowedGrowth = 1.1;
const settledMinutes = 5;

const { values } = parseArgs({ options: { minutes: { type: "string", default: "60" } } });
const minutes = Number(values.minutes);
if (!(minutes > settledMinutes)) throw new Error(`--minutes takes a number above ${settledMinutes}`);

const port = await freePort();
const applications = spawn(process.execPath, [...process.execArgv, join(import.meta.dirname, "..", "main.ts")], {
  env: { ...process.env, PORT: String(port) },
  stdio: ["ignore", "pipe", "inherit"],
});
const ended = once(applications, "exit");
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => applications.kill(signal));
try {
  await started();
  process.exitCode = await watch(`http://localhost:${port}`, applications.pid ?? 0);
} finally {
  applications.kill("SIGTERM");
  await ended;
}

async function watch(address: string, pid: number): Promise<number> {
  const visitors = new Visitors(address);
  const memory = new MemoryWatch(pid);
  const startedAt = performance.now();
  const elapsedMinutes = (): number => (performance.now() - startedAt) / 60_000;
  visitors.begin();
  for (let sample = 1; elapsedMinutes() < minutes; sample++) {
    await sleep(10_000);
    if (applications.exitCode !== null) throw new Error("The applications ended");
    memory.sample(elapsedMinutes());
    if (sample % 6 === 0) console.log(`${elapsedMinutes().toFixed(0).padStart(3)} min  ${memory.describe()}`);
  }
  await visitors.end();
  console.log(`\nVisits: ${visitors.describe()}\n`);
  const growths = memory.growths(settledMinutes);
  for (const { name, settledMb, finalMb } of growths) {
    const isGrown = finalMb > settledMb * allowedGrowth;
    console.log(`${isGrown ? "GREW" : "ok  "}  ${name.padEnd(24)} ${settledMb} MB after ${settledMinutes} min, ${finalMb} MB at the end`);
  }
  const grown = growths.filter(({ settledMb, finalMb }) => finalMb > settledMb * allowedGrowth).length;
  console.log(`\n${growths.length - grown} passed, ${grown} failed`);
  return growths.length === 0 || grown > 0 ? 1 : 0;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (typeof address !== "object" || !address) throw new Error("No port is free");
  return address.port;
}

/** Resolves once the applications have said how to stop them, which is the last line of their start. */
async function started(): Promise<void> {
  applications.stdout.setEncoding("utf8");
  let output = "";
  for await (const chunk of applications.stdout.iterator({ destroyOnReturn: false }) as AsyncIterable<string>) {
    process.stdout.write(chunk);
    output += chunk;
    if (output.includes("Ctrl-C stops")) break;
  }
  if (!output.includes("Ctrl-C stops")) throw new Error("The applications did not start");
  applications.stdout.resume();
}
