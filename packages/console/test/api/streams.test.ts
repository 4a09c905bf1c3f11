import type { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { auditPage } from "../../src/api/audit.ts";
import { channelView, historyPage, publishAnswer } from "../../src/api/channel.ts";
import { countAnswer } from "../../src/api/job.ts";
import { taskAnswer } from "../../src/api/letter.ts";
import { appendAnswer, doneAnswer, entriesPage, groupLettersPage, streamGroup, streamView } from "../../src/api/stream.ts";
import { task, type Task } from "../../src/api/task.ts";
import { openConsole, type ConsoleServer } from "../support/console-server.ts";
import { valid } from "../support/valid.ts";

let stage: Stage;
let keyline: Keyline;
let console: ConsoleServer;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  const own = stage.keyline();
  console = await openConsole({ keyline: own, redact: ["email"], channels: [own.channel("given")] });
});
afterAll(async () => {
  await console.close();
  await stage.close();
});

async function known(path: string): Promise<void> {
  await eventually("the console knows it", async () => (await console.get(`api/${path}`)).status === 200);
}

describe.each([{ transactional: false }, { transactional: true }])("a stream (%j)", ({ transactional }) => {
  const open = (name: string) =>
    keyline.stream<{ user: string; n: number; email?: string }>(`${name}-${transactional}`, {
      transactional,
      key: (event: { user: string }) => event.user,
    } as { transactional: false });

  test("is read from any place in both directions, and by key, page by page", async () => {
    const stream = open("read");
    const ids: string[] = [];
    for (let n = 0; n < 7; n++) ids.push((await stream.append({ user: n % 2 ? "odd" : "even", n, email: "ann@example.com" })).id);
    await known(`streams/${stream.name}`);
    await eventually(
      "all can be read",
      async () => valid(entriesPage, await console.get(`api/streams/${stream.name}/entries`)).entries.length === 7,
    );
    const read = async (query: string): Promise<number[]> => {
      const seen: number[] = [];
      let cursor: string | null = "";
      while (cursor !== null) {
        const answer = await console.get(`api/streams/${stream.name}/entries?limit=3&${query}${cursor && `&cursor=${cursor}`}`);
        expect(answer.text).not.toContain("ann@example.com");
        const page = valid(entriesPage, answer);
        seen.push(...page.entries.map(({ payload }) => (payload.data as { n: number }).n));
        cursor = page.next;
      }
      return seen;
    };
    expect(await read("")).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(await read("reverse=true")).toEqual([6, 5, 4, 3, 2, 1, 0]);
    expect(await read("key=odd")).toEqual([1, 3, 5]);
    expect(await read("at=0")).toHaveLength(7);
    expect(await read(`at=${Date.now() + 3_600_000}`)).toEqual([]);
    const [third] = valid(entriesPage, await console.get(`api/streams/${stream.name}/entries?limit=3`)).entries.slice(2);
    const one = valid(entriesPage, await console.get(`api/streams/${stream.name}/entries?from=${third?.id}&limit=1`));
    expect(one.entries).toMatchObject([{ id: third?.id, key: "even", payload: { data: { n: 2, email: "[hidden]" } } }]);
    expect((await console.get(`api/streams/${stream.name}/entries?from=x-y`)).body).toMatchObject({ status: 400 });
    expect(ids).toHaveLength(7);
  });

  test("shows its groups, whose dead letters are redriven and discarded, and which are reset and removed by their names", async () => {
    const stream = open("grouped");
    const consumer = stream.consume("mailer", () => Promise.reject(new Error("token=abc")), { maxAttempts: 1 });
    for (let n = 0; n < 4; n++) await stream.append({ user: `u${n}`, n });
    await known(`streams/${stream.name}`);
    const path = `api/streams/${stream.name}/groups/mailer`;
    await eventually(
      "all are dead",
      async () => valid(streamView, await console.get(`api/streams/${stream.name}`)).groups?.[0]?.dead === 4,
    );
    const view = valid(streamView, await console.get(`api/streams/${stream.name}`));
    expect(view).toMatchObject({ transactional, length: 4, groups: [{ name: "mailer", pending: 0, consumerCount: 1 }] });
    expect(view.groups?.[0]?.consumers).toMatchObject([{ pid: process.pid }]);
    expect(view.problems.map(({ code }) => code)).toContain("GROUP_DEAD");
    await consumer.stop();
    const letters = valid(groupLettersPage, await console.get(`${path}/letters?limit=3`));
    expect(letters.letters).toHaveLength(3);
    expect(letters.letters[0]?.reason).toBe("Error: token=[hidden]");
    expect(valid(groupLettersPage, await console.get(`${path}/letters?limit=3&cursor=${letters.next}`)).letters).toHaveLength(1);
    const id = letters.letters[0]?.id ?? "";
    expect(valid(countAnswer, await console.post(`${path}/discard`, { ids: [id] })).count).toBe(1);
    for (const act of ["redrive", "discard"]) {
      expect(valid(countAnswer, await console.post(`${path}/${act}`, { all: true, dryRun: true })).count, act).toBe(3);
    }
    expect((await console.post(`${path}/redrive`, { ids: [id], dryRun: true })).status).toBe(400);
    const started = await console.post(`${path}/redrive`, { all: true });
    expect(started.status).toBe(202);
    const { task: taskId } = valid(taskAnswer, started);
    const taskNow = async (): Promise<Task> => valid(task, await console.get(`api/tasks/${taskId}`));
    await eventually("it has ended", async () => (await taskNow()).state !== "running");
    expect(await taskNow()).toMatchObject({ act: "redrive", target: `stream:${stream.name}/mailer`, state: "done", done: 3, total: 3 });
    expect(valid(streamGroup, await console.get(path))).toMatchObject({ name: "mailer", dead: 0 });
    for (const act of ["reset", "remove"]) {
      expect((await console.post(`${path}/${act}`, { confirm: "mail", to: "start" })).status, act).toBeGreaterThanOrEqual(400);
    }
    expect((await console.post(`${path}/reset`, { confirm: "mail", to: "start" })).body).toMatchObject({
      status: 409,
      code: "NOT_CONFIRMED",
    });
    await eventually("no consumer is left", async () => valid(streamGroup, await console.get(path)).consumerCount === 0);
    expect(valid(doneAnswer, await console.post(`${path}/reset`, { confirm: "mailer", to: "end" }))).toEqual({ done: true });
    expect(valid(streamGroup, await console.get(path)).lag).toBe(0);
    expect(valid(doneAnswer, await console.post(`${path}/remove`, { confirm: "mailer" }))).toEqual({ done: true });
    expect((await console.get(path)).body).toMatchObject({ status: 404, code: "UNKNOWN_GROUP" });
    const { entries } = valid(auditPage, await console.get(`api/audit?target=stream:${stream.name}`));
    expect(entries.map(({ action, count }) => [action, count])).toEqual([
      ["remove", 1],
      ["reset", 1],
      ["redrive", 3],
      ["discard", 1],
    ]);
    expect(entries.every(({ details }) => (details as { group: string }).group === "mailer")).toBe(true);
  });
});

test("a stream without keys is appended to", async () => {
  const stream = keyline.stream("plain");
  await stream.append({ n: 1 });
  await known("streams/plain");
  expect(valid(appendAnswer, await console.post("api/streams/plain/append", { data: { n: 2 } })).appended).toBe(true);
  expect((await console.post("api/streams/plain/append", {})).status).toBe(400);
  expect(valid(entriesPage, await console.get("api/streams/plain/entries")).entries.map(({ payload }) => payload.data)).toEqual([
    { n: 1 },
    { n: 2 },
  ]);
});

test("a channel shows its history and who is there, and is published to", async () => {
  const channel = keyline.channel("news", { history: {} });
  await channel.list();
  await channel.publish({ n: 1, password: "p" });
  const present = await channel.presence.enter("ann", { info: { token: "t" } });
  const subscription = channel.subscribe();
  await subscription.ready;
  await known("channels/news");
  expect(valid(publishAnswer, await console.post("api/channels/news/publish", { data: { n: 2 } })).id).not.toBe("");
  expect((await console.post("api/channels/news/publish", {})).status).toBe(400);
  const history = valid(historyPage, await console.get("api/channels/news/history"));
  expect(history.messages.map(({ payload }) => payload.data)).toEqual([{ n: 1, password: "[hidden]" }, { n: 2 }]);
  const view = valid(channelView, await console.get("api/channels/news"));
  expect(view).toMatchObject({
    name: "news",
    hasHistory: true,
    subscriptions: 1,
    presence: { total: 1, members: [{ member: "ann", info: { token: "[hidden]" } }] },
  });
  await Promise.all([present.leave(), subscription.close()]);
  expect((await channel.history()).messages).toHaveLength(2);
});

test("a channel that was given is there, though nobody lists it, and has no history to show", async () => {
  expect(valid(channelView, await console.get("api/channels/given"))).toMatchObject({ hasHistory: false });
  expect((await console.get("api/channels/given/history")).body).toMatchObject({ status: 400, code: "INVALID_OPTION" });
});

test("an act on all dead letters of a group is stopped between two pages, and says how far it came", async () => {
  const stream = keyline.stream<number>("stopped");
  const count = 2_000;
  const consumer = stream.consume("readers", () => Promise.reject(new Error("no")), { maxAttempts: 1, concurrency: 500 });
  await stream.appendMany(Array.from({ length: count }, (_, n) => n));
  const dead = async (): Promise<number | undefined> => (await stream.groups())[0]?.dead;
  await eventually("all are dead", async () => (await dead()) === count, 60_000);
  await consumer.stop();
  await eventually("the console knows it", async () => (await console.get("api/streams/stopped")).status === 200);
  const { task: id } = valid(taskAnswer, await console.post("api/streams/stopped/groups/readers/discard", { all: true }));
  const stopped = valid(task, await console.post(`api/tasks/${id}/stop`));
  // It may have been quicker than whoever stops it, which then has nothing to stop.
  expect(["stopped", "done"]).toContain(stopped.state);
  expect(await dead()).toBe(count - stopped.done);
  const { entries } = valid(auditPage, await console.get("api/audit?target=stream:stopped"));
  expect(entries.find(({ action }) => action === "discard")).toMatchObject({
    details: { group: "readers", all: true },
    count: stopped.done,
  });
});
