import { startValkey } from "@keyline/embedded";
import { expect, test } from "vitest";
import { eventually, openStage } from "../../../keyline/test/support/stage.ts";
import { groupsPage } from "../../src/api/group.ts";
import { health } from "../../src/api/health.ts";
import { jobsPage, jobView } from "../../src/api/job.ts";
import { causesView, lettersPage } from "../../src/api/letter.ts";
import { overview } from "../../src/api/overview.ts";
import { queueView } from "../../src/api/queue.ts";
import { openConsole, signToken } from "../support/console-server.ts";
import { openLive } from "../support/live-events.ts";
import { valid } from "../support/valid.ts";

test("while Valkey is away it says so, shows what it knows, refuses what cannot be done, and goes on by itself", async () => {
  const valkey = await startValkey();
  const stage = await openStage({ valkeyUrl: valkey.url });
  const keyline = stage.keyline();
  await keyline.migrate();
  const console = await openConsole({ keyline: stage.keyline() });
  const plain = keyline.queue("plain");
  const kept = keyline.queue("kept", { transactional: true });
  await plain.add(1);
  await kept.add(1, { id: "one", group: "g" });
  await eventually("the console has seen both", async () => {
    const { items } = valid(overview, await console.get("api/overview"));
    return ["plain", "kept"].every((name) => items.some((item) => item.name === name && item.depth === 1));
  });
  const live = await openLive(console.url, "overview,queue:kept", await signToken({ console: "viewer" }));
  await live.find("it began", ({ type }) => type === "change");

  await valkey.stop();
  await eventually("it is seen to be away", async () => valid(health, await console.get("api/health")).valkey.state === "away");
  const { stores, items } = valid(overview, await console.get("api/overview"));
  expect(stores).toEqual({ valkey: "away", postgres: "ok" });
  expect(items.map(({ name }) => name).toSorted()).toEqual(["kept", "plain"]);
  expect(items.find(({ name }) => name === "plain")?.depth).toBe(1);
  expect(valid(queueView, await console.get("api/queues/plain"))).toMatchObject({ counts: null, rates: null, stores: { valkey: "away" } });
  expect(valid(queueView, await console.get("api/queues/kept"))).toMatchObject({
    transactional: true,
    stores: { valkey: "away" },
    // What PostgreSQL knows.
    counts: { waiting: 1 },
    limits: { concurrency: null },
  });
  expect(valid(jobsPage, await console.get("api/queues/kept/jobs"))).toMatchObject({
    jobs: [{ id: "one", state: "waiting" }],
    isFromRows: true,
  });
  expect(valid(jobView, await console.get("api/queues/kept/jobs/one"))).toMatchObject({ state: "waiting", isFromRow: true });
  expect(valid(lettersPage, await console.get("api/queues/kept/letters"))).toEqual({ letters: [], next: null });
  expect(valid(groupsPage, await console.get("api/queues/kept/groups"))).toMatchObject({
    groups: [{ name: "g", state: "running", waiting: 0 }],
    isFromRows: true,
  });
  expect((await console.get("api/queues/kept/rates?hours=24")).status).toBe(200);
  expect(valid(causesView, await console.get("api/queues/kept/causes"))).toEqual({ causes: [], looked: 0, total: 0 });
  expect((await console.get("api/queues/kept/jobs?state=running")).status).toBe(503);
  const lists = ["jobs", "letters", "causes", "groups", "limits", "rates", "jobs/one"];
  for (const { status, body } of await Promise.all(lists.map((list) => console.get(`api/queues/plain/${list}`)))) {
    expect({ status, detail: body.detail }).toEqual({
      status: 503,
      detail: "Valkey is away, and what is asked for is not known without it",
    });
  }
  // It can be written down, as PostgreSQL is there, and not be done.
  expect((await console.post("api/queues/plain/add", { data: 1 })).body.status).toBe(503);
  await live.find("the page is told", ({ data }) => data.kind === "overview" && data.data?.stores?.valkey === "away");

  const again = await startValkey({ port: Number(new URL(valkey.url).port) });
  await eventually("it is back, and so are pages that were open", async () => {
    const last = live.events.findLast(({ data }) => data.kind === "overview");
    return last?.data.data?.stores?.valkey === "ok";
  });
  // The plain queue was in Valkey's memory alone.
  expect((await console.post("api/queues/kept/add", { data: 1 })).status).toBe(200);
  live.close();
  await console.close();
  await stage.close();
  await again.stop();
});
