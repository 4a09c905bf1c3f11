import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { freePort, returnPort } from "../src/process/ports.ts";

/** A process that takes ports and keeps them, though nothing listens there, for as long as it lives. */
async function takePorts(count: number): Promise<{ readonly ports: readonly number[]; end(): Promise<void> }> {
  const code = `import { freePort } from ${JSON.stringify(new URL("../src/process/ports.ts", import.meta.url).href)};
    const ports = [];
    for (let n = 0; n < ${count}; n++) ports.push(await freePort());
    console.log(JSON.stringify(ports));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--conditions=development", "--input-type=module", "-e", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let text = "";
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.endsWith("\n")) break;
  }
  return {
    ports: JSON.parse(text) as number[],
    end: async () => {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

test("a port that another process was given is given to nobody else while that one lives, also when nothing listens there", async () => {
  const other = await takePorts(1_000);
  const mine: number[] = [];
  for (let n = 0; n < 500; n++) mine.push(await freePort());
  expect(mine.filter((port) => other.ports.includes(port))).toEqual([]);
  await other.end();
  const before = new Set(other.ports);
  let again = 0;
  for (let n = 0; n < 1_500; n++) {
    const port = await freePort();
    mine.push(port);
    if (before.has(port)) again++;
  }
  expect(again).toBeGreaterThan(0);
  for (const port of mine) returnPort(port);
}, 120_000);
