import { afterAll, beforeAll, expect, test } from "vitest";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { QueueKeys } from "../../../src/valkey/queue/keys.ts";
import { QueueStore } from "../../../src/valkey/queue/queue-store.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";
import { holdJobs } from "./held-jobs.ts";

/*
 * A step that the server refuses half way, as it does while a slot is on its way to another node, is done again: then all is as if it had been done once. Here a key has another type for a
 * while, which is refused as well.
 */

let stage: Stage;
let connection: ValkeyConnection;

beforeAll(async () => {
  stage = await openQuietStage();
  const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  connection = new ValkeyConnection(toTarget(stage.valkeyUrl), { logger, silenceMs: 5_000 });
  await connection.ensureReady(5_000);
});

afterAll(async () => {
  connection.close();
  await stage.close();
});

async function refusals(): Promise<number> {
  return Number(/errorstat_WRONGTYPE:count=(\d+)/.exec(await stage.valkey.info("errorstats"))?.[1] ?? 0);
}

/** Refuses a key until it is told to let it through; then it has what it had before. Nobody finds it in between. */
async function refuse(key: string): Promise<() => Promise<void>> {
  const aside = `${key}-aside`;
  const isThere = (await stage.valkey.exists(key)) === 1;
  const refusing = stage.valkey.multi();
  if (isThere) refusing.rename(key, aside);
  await refusing.zadd(key, 1, "of another type").exec();
  return async () => {
    if (isThere) await stage.valkey.rename(aside, key);
    else await stage.valkey.del(key);
  };
}

test("an add to the line of a paused group that is refused adds nothing, and the next ones run", async () => {
  const queue = stage.keyline().queue<string>("added");
  const key = (part: string): string => `${stage.prefix}:{added}:${part}`;
  await queue.pause({ group: "g" });
  const letThrough = await refuse(key("blocked"));
  await expect(queue.add("x", { group: "g" })).rejects.toThrow();
  await letThrough();
  for (const data of ["x", "y"]) await queue.add(data, { group: "g" });
  const jobs = holdJobs(queue);
  await queue.resume({ group: "g" });
  for (const data of ["x", "y"]) {
    await eventually(`${data} runs`, () => jobs.began.at(-1) === data);
    jobs.end(data);
  }
  await jobs.stop();
  expect(jobs.began).toEqual(["x", "y"]);
});

test("what goes back into the line of a paused group does so once, and nothing runs twice", async () => {
  const queue = stage.keyline().queue<string>("back");
  const key = (part: string): string => `${stage.prefix}:{back}:${part}`;
  const ids = ["a", "b", "c", "d"];
  for (const id of ids) await queue.add(id, { id, group: "g" });
  await queue.setLimits({ group: { concurrency: 2 } });
  await queue.pause({ group: "g" });
  const letThrough = await refuse(key("blocked"));
  const before = await refusals();
  const jobs = holdJobs(queue, 1);
  await eventually("it was refused", async () => (await refusals()) > before + 2);
  await letThrough();
  await eventually("all are back", async () => (await queue.counts()).blocked === ids.length);
  await queue.setLimits({ group: { concurrency: 1 } });
  await queue.resume({ group: "g" });
  for (let count = 1; count <= ids.length; count++) {
    await eventually(`${count} have begun`, () => jobs.began.length === count);
    jobs.end(jobs.began.at(-1) ?? "");
  }
  await eventually("nothing is left", async () => (await stage.valkey.exists(key("grouped"), key("lines"))) === 0);
  await jobs.stop();
  expect([...jobs.began].sort()).toEqual(ids);
  expect((await queue.counts()).blocked).toBe(0);
});

test("no more of a group run than may where an end is refused that lets the next one in by its place", async () => {
  const queue = stage.keyline().queue<string>("placed");
  const key = (part: string): string => `${stage.prefix}:{placed}:${part}`;
  const store = new QueueStore(connection, new QueueKeys(stage.prefix, "placed"));
  await queue.setLimits({ group: { concurrency: 2 } });
  for (let number = 1; number <= 7; number++) {
    const element = JSON.stringify({ id: `i${number}`, at: Date.now(), group: "g", data: `i${number}` });
    await store.adds.place([{ element, options: ["group", "g", "order", String(number)] }]);
  }
  const jobs = holdJobs(queue);
  await eventually("two run", () => jobs.began.length === 2);
  jobs.end("i1");
  await eventually("the next one runs", () => jobs.began.length === 3);
  const letThrough = await refuse(key("lines"));
  const before = await refusals();
  jobs.end("i2");
  await eventually("it was refused", async () => (await refusals()) > before + 2);
  await letThrough();
  await eventually("the end has come to pass", () => jobs.began.length === 4);
  const admitted = (await stage.valkey.hget(key("grouped"), "g"))?.split("\x1e");
  expect(admitted?.filter((_, index) => index % 2 === 0)).toEqual(["i3", "i4"]);
  expect(await queue.counts()).toMatchObject({ waiting: 0, running: 2, blocked: 3 });
  await jobs.stop();
});

test("of two jobs with one id none is lost where the limit of their group is lowered", async () => {
  const queue = stage.keyline().queue<string>("lowered");
  const key = (part: string): string => `${stage.prefix}:{lowered}:${part}`;
  const store = new QueueStore(connection, new QueueKeys(stage.prefix, "lowered"));
  const add = (id: string, data: string, group = "g"): Promise<unknown> =>
    store.adds.place([{ element: JSON.stringify({ id, at: Date.now(), group, data }), options: ["group", group] }]);
  await add("a", "a");
  await add("b", "b");
  await queue.setLimits({ group: { concurrency: 2 } });
  for (const [id, data] of [
    ["w", "w"],
    ["a", "a again"],
    ["e", "e"],
  ] as const)
    await add(id, data);
  for (const id of ["x", "y"]) await add(id, id, "h");
  const jobs = holdJobs(queue);
  await eventually("a, b, x and y run", () => jobs.began.length === 4);
  await queue.pause({ group: "g" });
  for (const data of ["b", "y"]) jobs.end(data);
  await eventually("b has ended", async () => !(await stage.valkey.hget(key("grouped"), "g"))?.includes("b\x1e"));
  await eventually("that the limit was higher is forgotten", async () => {
    await queue.setLimits({ group: { concurrency: 1 } });
    return (await stage.valkey.hget(key("gates"), "group.lowered")) === null;
  });
  await queue.resume({ group: "g" });
  // Together, in one step.
  for (const data of ["a", "x"]) jobs.end(data);
  for (const data of ["w", "a again", "e"]) {
    await eventually(`${data} runs`, () => jobs.began.at(-1) === data);
    jobs.end(data);
  }
  await jobs.stop();
});

test("what is blocked is counted rightly where the ends of two groups are refused in one step", async () => {
  const queue = stage.keyline().queue<string>("counted");
  for (const group of ["g", "h"]) for (const number of ["1", "2", "3"]) await queue.add(group + number, { id: group + number, group });
  const jobs = holdJobs(queue);
  await eventually("two run", () => jobs.began.length === 2);
  const letThrough = await refuse(`${stage.prefix}:{counted}:blocked`);
  const before = await refusals();
  for (const data of ["g1", "h1"]) jobs.end(data);
  await eventually("it was refused", async () => (await refusals()) > before + 2);
  await letThrough();
  await eventually("the next ones run", () => jobs.began.length === 4);
  await eventually("two are left in line", async () => (await queue.counts()).blocked === 2);
  for (const data of ["g2", "h2"]) jobs.end(data);
  await eventually("the last ones run", () => jobs.began.length === 6);
  expect(await queue.counts()).toMatchObject({ waiting: 0, running: 2, blocked: 0 });
  await jobs.stop();
});

test.each(["waiting", "blocked"])(
  "the end of a job behind which one was cancelled is refused at %s and done again, and the next one runs",
  async (part) => {
    const queue = stage.keyline().queue<string>(`behind-${part}`);
    for (const id of ["A", "B", "C", "D", "E"]) await queue.add(id, { id, group: "g" });
    const jobs = holdJobs(queue, 5);
    await eventually("A runs", () => jobs.began.length === 1);
    expect(await queue.cancel("C")).toBe("waiting");
    jobs.end("A");
    await eventually("B runs", () => jobs.began.length === 2);
    const before = await refusals();
    const letThrough = await refuse(`${stage.prefix}:{behind-${part}}:${part}`);
    jobs.end("B");
    await eventually("it was refused", async () => (await refusals()) > before);
    await letThrough();
    for (const data of ["D", "E"]) {
      await eventually(`${data} runs`, () => jobs.began.at(-1) === data);
      jobs.end(data);
    }
    await jobs.stop();
    expect(jobs.began).toEqual(["A", "B", "D", "E"]);
    expect((await queue.counts()).blocked).toBe(0);
  },
);
