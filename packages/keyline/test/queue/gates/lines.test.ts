import type { Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { QueueKeys } from "../../../src/valkey/queue/keys.ts";
import { QueueStore } from "../../../src/valkey/queue/queue-store.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { holdJobs } from "./held-jobs.ts";

let stage: Stage;
let connection: ValkeyConnection;

beforeAll(async () => {
  stage = await openStage();
  const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  connection = new ValkeyConnection(toTarget(stage.valkeyUrl), { logger, silenceMs: 5_000 });
  await connection.ensureReady(5_000);
});

afterAll(async () => {
  connection.close();
  await stage.close();
});

async function isEmpty(queue: Queue<string>, groups: readonly string[]): Promise<boolean> {
  const keys = ["grouped", "lines", ...groups.map((group) => `line:${group}`)].map((key) => `${stage.prefix}:{${queue.name}}:${key}`);
  return (await stage.valkey.exists(...keys)) === 0;
}

async function waitingIn(queue: Queue<string>): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for await (const { name, waiting } of queue.groups()) found.set(name, waiting);
  return found;
}

test.each([1, 2, 3])(
  "what had its turn before its group was paused goes back into its line, and none of it is lost (%i at a time)",
  async (concurrency) => {
    const queue = stage.keyline().queue<string>(`back-${concurrency}`);
    await queue.setLimits({ group: { concurrency } });
    const names = ["0", "1", "2", "3", "4", "5"];
    await queue.addMany(names.map((data) => ({ data, group: "g" })));
    await queue.pause({ group: "g" });
    const ran: string[] = [];
    const worker = queue.work(({ data }) => void ran.push(data), { concurrency: 5 });
    await eventually("all are in line", async () => (await queue.counts()).blocked === names.length);
    expect(await waitingIn(queue)).toEqual(new Map([["g", names.length]]));
    await queue.resume({ group: "g" });
    await eventually("all have run", () => ran.length === names.length);
    expect(concurrency === 1 ? ran : [...ran].sort()).toEqual(names);
    await eventually("nothing is left", () => isEmpty(queue, ["g"]));
    expect((await queue.counts()).blocked).toBe(0);
    await worker.stop();
  },
);

// A foreign writer may add two jobs with one id, and an add whose answer was lost may come twice.
test.each([
  { of: "one group", added: ["g x 1", "g y 2", "g x 3", "g z 4", "g w 5"] },
  { of: "one group, one behind the other", added: ["g x 1", "g x 2", "g x 3", "g y 4", "g z 5"] },
  { of: "two groups", added: ["g x 1", "h x 2", "g y 3", "h z 4", "g x 5", "h x 6", "g w 7", "h w 8"] },
])("jobs with one id in $of all run, in the order of each group", async ({ of, added }) => {
  const name = `same-${added.length}-${of.length}`;
  const queue = stage.keyline().queue<string>(name);
  const store = new QueueStore(connection, new QueueKeys(stage.prefix, name));
  for (const text of added) {
    const [group = "", id = ""] = text.split(" ");
    const element = JSON.stringify({ id, at: Date.now(), group, data: text });
    await store.adds.place([{ element, options: ["group", group] }]);
  }
  const groups = [...new Set(added.map((text) => text[0] ?? ""))];
  expect([...(await waitingIn(queue)).values()].reduce((sum, one) => sum + one, 0)).toBe(added.length - groups.length);
  const listed: unknown[] = [];
  for await (const { data } of queue.jobs({ state: "blocked" })) listed.push(data);
  expect(listed).toHaveLength(added.length - groups.length);
  const ran: string[] = [];
  const worker = queue.work(
    async ({ data }) => {
      ran.push(data);
      await new Promise((resolve) => setImmediate(resolve));
    },
    { concurrency: 5 },
  );
  await eventually("all have run", () => ran.length === added.length);
  for (const group of groups) expect(ran.filter((text) => text.startsWith(group))).toEqual(added.filter((text) => text.startsWith(group)));
  await eventually("nothing is left", () => isEmpty(queue, groups));
  await worker.stop();
});

test.each([
  { of: "Keyline's own", id: "0123456789abcdefghij", at: 1_764_400_000_000 },
  { of: "a foreign writer's", id: "x", at: 1 },
])("the end of a job lets nobody of another group in that waits for one with the same id ($of)", async ({ id, at }) => {
  const name = `other-${at}`;
  const queue = stage.keyline().queue<string>(name);
  const store = new QueueStore(connection, new QueueKeys(stage.prefix, name));
  const add = (group: string, one: string): Promise<unknown> =>
    store.adds.place([{ element: JSON.stringify({ id: one, at, group, data: `${group} ${one}` }), options: ["group", group] }]);
  const groups = ["g", "h", "i"];
  const nextOf = (group: string): string => `next-${group}`.padEnd(id.length, "0");
  for (const group of groups) await add(group, id);
  for (const group of groups) await add(group, nextOf(group));
  const [held, others] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const began: string[] = [];
  const worker = queue.work(
    async ({ data }) => {
      began.push(data);
      if (data === `g ${id}`) await held.promise;
      else if (data.endsWith(id)) await others.promise;
    },
    { concurrency: 5 },
  );
  await eventually("the first of each run", () => began.length === 3);
  // Together, in one step.
  others.resolve();
  await eventually("the others have gone on", () => began.length === 5);
  expect(began.slice(3).sort()).toEqual(["h", "i"].map((group) => `${group} ${nextOf(group)}`));
  expect(await waitingIn(queue)).toEqual(new Map([["g", 1]]));
  held.resolve();
  await eventually("all have run", () => began.at(-1) === `g ${nextOf("g")}`);
  await eventually("nothing is left", () => isEmpty(queue, groups));
  await worker.stop();
});

test("of two jobs with one id that both have their turn none is lost where their group is paused", async () => {
  const queue = stage.keyline().queue<string>("both");
  const store = new QueueStore(connection, new QueueKeys(stage.prefix, "both"));
  await queue.setLimits({ group: { concurrency: 2 } });
  for (const data of ["x 1", "x 2"]) {
    await store.adds.place([{ element: JSON.stringify({ id: "x", at: Date.now(), group: "g", data }), options: ["group", "g"] }]);
  }
  await queue.pause({ group: "g" });
  const jobs = holdJobs(queue, 5);
  await eventually("both are back in line", async () => (await queue.counts()).blocked === 2);
  await queue.resume({ group: "g" });
  await eventually("both run", () => jobs.began.length === 2);
  await jobs.stop();
  expect([...jobs.began].sort()).toEqual(["x 1", "x 2"]);
  await eventually("nothing is left", () => isEmpty(queue, ["g"]));
});

test("who goes through a line in pages misses nothing and sees nothing twice, whatever ends or is cancelled between two of them", async () => {
  const queue = stage.keyline().queue<string>("pages");
  const names = Array.from({ length: 40 }, (_, index) => `job-${index}`);
  for (const id of names) await queue.add(id, { id, group: "g" });
  const gates = new Map(names.map((id) => [id, Promise.withResolvers<void>()]));
  const began: string[] = [];
  const worker = queue.work(async ({ id }) => {
    began.push(id);
    await gates.get(id)?.promise;
  });
  await eventually("the first one runs", () => began.length === 1);
  const page = async (cursor?: string): Promise<{ readonly ids: string[]; readonly cursor: string | undefined }> => {
    const ids: string[] = [];
    let last: string | undefined;
    for await (const job of queue.jobs({ state: "blocked", group: "g", limit: 5, ...(cursor !== undefined && { cursor }) })) {
      ids.push(job.id);
      last = job.cursor;
    }
    return { ids, cursor: last };
  };
  const seen = await page();
  expect(seen.ids).toEqual(names.slice(1, 6));
  // The one behind which the next page begins, and others on both sides of it.
  for (const id of ["job-5", "job-3", "job-6", "job-7"]) expect(await queue.cancel(id)).toBe("waiting");
  const second = await page(seen.cursor);
  expect(second.ids).toEqual(names.slice(8, 13));
  // All that has been seen is gone by now.
  for (const id of names.slice(0, 13)) gates.get(id)?.resolve();
  await eventually("it has gone on", () => began.at(-1) === "job-13");
  const third = await page(second.cursor);
  expect(third.ids).toEqual(names.slice(14, 19));
  expect(await waitingIn(queue)).toEqual(new Map([["g", 26]]));
  // From the end, where nothing hangs on what is left, and from the middle.
  for (const id of ["job-39", "job-38", "job-20"]) expect(await queue.cancel(id)).toBe("waiting");
  expect(await waitingIn(queue)).toEqual(new Map([["g", 23]]));
  await queue.add("last", { id: "last", group: "g" });
  for (const [, gate] of gates) gate.resolve();
  await eventually("all have run", () => began.at(-1) === "last");
  const gone = new Set(["job-5", "job-3", "job-6", "job-7", "job-39", "job-38", "job-20"]);
  expect(began).toEqual([...names.filter((id) => !gone.has(id)), "last"]);
  await eventually("nothing is left", () => isEmpty(queue, ["g"]));
  await worker.stop();
});
