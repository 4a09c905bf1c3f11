/*
 * `npm run soak:apps -- --minutes 60`: starts the applications as `npm start` does, sends visitors that come and go, and compares what each of their
 * processes has in use at the end with that after five minutes, garbage collected both times. Exits with 1 when one has grown by more than a tenth.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { liveMemoryAt, type LiveMemory } from "./live-memory.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { Visitors } from "./visitors.ts";

const allowedGrowth = 1.1;
const settledMinutes = 5;

const { values } = parseArgs({ options: { minutes: { type: "string", default: "60" } } });
const minutes = Number(values.minutes);
if (!(minutes > settledMinutes)) throw new Error(`--minutes takes a number above ${settledMinutes}`);

const port = await freePort();
const applications = spawn(process.execPath, [...process.execArgv, join(import.meta.dirname, "..", "main.ts")], {
  env: { ...process.env, PORT: String(port), NODE_OPTIONS: "--inspect=127.0.0.1:0" },
  stdio: ["ignore", "pipe", "pipe"],
});
const inspectors: string[] = [];
createInterface(applications.stderr).on("line", (line) => {
  const address = /^Debugger listening on (ws:\S+)$/.exec(line)?.[1];
  if (address !== undefined) inspectors.push(address);
  else if (!line.startsWith("For help, see: ") && !line.startsWith("Debugger ")) console.error(line);
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
  let settled: readonly LiveMemory[] = [];
  visitors.begin();
  for (let minute = 1; minute <= minutes; minute++) {
    await sleep(Math.max(0, (minute - elapsedMinutes()) * 60_000));
    if (applications.exitCode !== null) throw new Error("The applications ended");
    console.log(`${String(minute).padStart(3)} min  ${memory.describe()}`);
    if (minute === settledMinutes) settled = await liveMemory();
  }
  const final = await liveMemory();
  await visitors.end();
  console.log(`\nVisits: ${visitors.describe()}\n`);
  return judge(settled, final);
}

function judge(settled: readonly LiveMemory[], final: readonly LiveMemory[]): number {
  let grown = 0;
  for (const { pid, mb } of final) {
    const before = settled.find((each) => each.pid === pid)?.mb ?? 0;
    const isGrown = mb > before * allowedGrowth;
    if (isGrown) grown++;
    console.log(`${isGrown ? "GREW" : "ok  "}  process ${pid}: ${before} MB in use after ${settledMinutes} minutes, ${mb} MB at the end`);
  }
  console.log(`\n${final.length - grown} passed, ${grown} failed`);
  return final.length === 0 || grown > 0 ? 1 : 0;
}

async function liveMemory(): Promise<LiveMemory[]> {
  const found = await Promise.all(inspectors.map((inspector) => liveMemoryAt(inspector)));
  return found.filter((each) => each !== undefined);
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
