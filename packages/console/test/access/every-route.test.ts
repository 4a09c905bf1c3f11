import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collected } from "../../../keyline/test/support/collected.ts";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { createDesk } from "../../src/create-desk.ts";
import type { Route } from "../../src/http/router.ts";
import { allRoutes } from "../../src/routes.ts";
import { openConsole, secret, signToken, type ConsoleServer } from "../support/console-server.ts";

let stage: Stage;
let keyline: Keyline;
let console: ConsoleServer;
let open: ConsoleServer;
let routes: readonly Route[];
/** What stands in a path for each of its names: everything of it is there. */
let parts: Readonly<Record<string, string>>;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  routes = allRoutes(createDesk({ keyline, access: { secret } }));
  [console, open] = await Promise.all([openConsole({ keyline }), openConsole({ keyline, access: "loopback" })]);
  const queue = keyline.queue("guarded", { transactional: true });
  const { id } = await queue.add({}, { delay: 3_600_000 });
  await queue.schedule("often", { every: 3_600_000, data: {} });
  const stream = keyline.stream("events");
  const consumer = stream.consume("readers", () => undefined);
  await stream.append({});
  await eventually("it was consumed", async () => (await stream.groups())[0]?.lag === 0);
  await consumer.stop();
  await keyline.channel("news", { history: { size: 10 } }).list();
  const known = ["queues/guarded", "streams/events/groups/readers", "channels/news"];
  for (const server of [console, open]) {
    await eventually("the console knows them", async () => {
      const answers = await Promise.all(known.map((path) => server.get(`api/${path}`)));
      return answers.every(({ status }) => status === 200);
    });
  }
  await eventually("its job is there", async () => (await queue.counts()).scheduled === 1);
  const begun = await console.post("api/queues/guarded/letters/discard", { filter: {} });
  const { task } = begun.body as { readonly task?: string };
  parts = { queue: "guarded", stream: "events", channel: "news", group: "readers", schedule: "often" };
  // `:id` is a job's, or a task's.
  parts = { ...parts, "jobs/:id": `jobs/${id}`, "tasks/:id": `tasks/${task}` };
});
afterAll(async () => {
  await Promise.all([console.close(), open.close()]);
  await stage.close();
});

function addressOf({ path }: Route): string {
  let address = path;
  for (const [name, value] of Object.entries(parts)) address = address.replace(name.includes(":") ? name : `:${name}`, value);
  expect(address).not.toContain(":");
  return address === "live" ? "live?topics=tasks" : address;
}

/** The body is left alone: an event stream has no end. */
async function ask(
  server: ConsoleServer,
  route: Route,
  { method = route.method, headers = {} }: { readonly method?: string; readonly headers?: Record<string, string> },
): Promise<{ readonly status: number; readonly code: string | undefined }> {
  const isPost = method === "POST";
  const answer = await fetch(`${server.url}/api/${addressOf(route)}`, {
    method,
    headers: { ...(isPost && { "content-type": "application/json" }), ...headers },
    ...(isPost && { body: "{}" }),
  });
  if (answer.headers.get("content-type") !== "application/problem+json") {
    await answer.body?.cancel();
    return { status: answer.status, code: undefined };
  }
  const { code } = (await answer.json()) as { readonly code: string };
  return { status: answer.status, code };
}

const posts = (): readonly Route[] => routes.filter(({ method }) => method === "POST");
const bearer = async (role: "operator" | "viewer"): Promise<Record<string, string>> => ({
  authorization: `Bearer ${await signToken({ console: role })}`,
});

/** What acts would have changed, had one been let through. */
async function state(): Promise<unknown> {
  const queue = keyline.queue("guarded", { transactional: true });
  const { rows } = await stage.pool.query<{ count: string }>("SELECT count(*) FROM keyline.audit");
  const stream = keyline.stream("events");
  const [groups, schedules, entries] = await Promise.all([stream.groups(), queue.schedules(), collected(stream.read())]);
  return {
    acts: rows[0]?.count,
    jobs: await queue.counts(),
    limits: await queue.limits(),
    schedules: schedules.map(({ name, paused }) => ({ name, paused })),
    groups: groups.map(({ name, lag }) => ({ name, lag })),
    entries: entries.map(({ id }) => id),
    messages: (await keyline.channel("news", { history: { size: 10 } }).history()).messages.length,
  };
}

test("there are acts and things to look at", () => {
  expect(posts().length).toBeGreaterThan(20);
  expect(routes.length - posts().length).toBeGreaterThan(20);
});

test("nothing is answered without a token, and nobody is told what there is", async () => {
  const before = await state();
  const ended = await signToken({ console: "operator", exp: 1 });
  for (const route of routes) {
    const what = `${route.method} ${route.path}`;
    expect(await ask(console, route, {}), what).toEqual({ status: 401, code: "TOKEN_REQUIRED" });
    expect(await ask(console, route, { headers: { authorization: `Bearer ${ended}` } }), what).toEqual({
      status: 401,
      code: "TOKEN_EXPIRED",
    });
  }
  expect(await state()).toEqual(before);
});

test("viewers see everything and do nothing", async () => {
  const before = await state();
  const headers = await bearer("viewer");
  for (const route of routes) {
    const answer = await ask(console, route, { headers });
    const expected = route.method === "GET" ? { status: 200, code: undefined } : { status: 403, code: "VIEWER" };
    expect(answer, `${route.method} ${route.path}`).toEqual(expected);
  }
  expect(await state()).toEqual(before);
});

test("no act is begun by another site's page, neither with a token nor where none is asked for", async () => {
  const before = await state();
  const operator = await bearer("operator");
  const foreign: readonly Record<string, string>[] = [
    { origin: "https://evil.example" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ];
  for (const route of posts()) {
    for (const headers of foreign) {
      const refused = { status: 403, code: "CROSS_SITE_REQUEST" };
      expect(await ask(console, route, { headers: { ...operator, ...headers } }), route.path).toEqual(refused);
      expect(await ask(open, route, { headers }), route.path).toEqual(refused);
    }
  }
  expect(await state()).toEqual(before);
});

test("acts take POST alone", async () => {
  const before = await state();
  const headers = await bearer("operator");
  const looked = new Set(routes.filter(({ method }) => method === "GET").map(({ path }) => path));
  for (const route of posts()) {
    // The address of limits is looked at, too.
    if (!looked.has(route.path)) {
      const refused = { status: 405, code: "METHOD_NOT_ALLOWED" };
      expect(await ask(console, route, { method: "GET", headers }), route.path).toEqual(refused);
    }
    expect((await ask(console, route, { method: "PUT", headers })).status, route.path).toBe(405);
  }
  expect(await state()).toEqual(before);
});
