import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(() => stage.close());

interface Client {
  readonly id: number;
  readonly command: string;
}

async function clients(): Promise<readonly Client[]> {
  const list = String(await stage.valkey.client("LIST"));
  return [...list.matchAll(/^id=(\d+) .*? cmd=(\S+)/gm)].map(([, id, command = ""]) => ({ id: Number(id), command }));
}

async function unblocked(): Promise<number> {
  return Number(/cmdstat_client\|unblock:calls=(\d+)/.exec(await stage.valkey.info("commandstats"))?.[1] ?? 0);
}

test("a worker of an empty queue whose connection for commands broke reads what it holds at once, and hands in what ends", async () => {
  const others = new Set((await clients()).map(({ id }) => id));
  const held = gate();
  const queue = stage.keyline().queue<number>("half-broken");
  const worker = queue.work(() => held.opened, { concurrency: 2 });
  await queue.add(1);
  const own = async (): Promise<readonly Client[]> => (await clients()).filter(({ id }) => !others.has(id));
  await eventually("one job runs, and the next one is waited for", async () => {
    return (await queue.counts()).running === 1 && (await own()).some(({ command }) => command === "blmove");
  });

  await stage.valkey.config("RESETSTAT");
  for (const { id, command } of await own()) if (command !== "blmove") await stage.valkey.client("KILL", "ID", id);
  await eventually("the wait was ended", async () => (await unblocked()) > 0);
  held.open();
  await eventually("it has ended", async () => (await queue.counts()).running === 0);
  expect((await queue.counts()).waiting).toBe(0);
  await worker.stop();
});
