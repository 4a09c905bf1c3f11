import { readFileSync } from "node:fs";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const section = /^## Jobs\n(.+?)(?=^## )/ms.exec(readme)?.[1] ?? "";
/** What it says of adding, and what comes behind that. */
const [adding = "", seeing = ""] = section.split(/^(?=`GET \/v1\/queues\/:queue` )/m);

let stage: Stage;
let keyline: Keyline;
let gateway: StandaloneGateway;
let headers: Record<string, string>;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  gateway = await openGateway({ keyline, queues: [keyline.queue("emails")] });
  headers = bearer(await signToken({ queues: ["emails"] }));
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

interface Shape {
  readonly properties: Readonly<Record<string, Shape>>;
}

interface Operation {
  readonly requestBody: { readonly content: { readonly "application/json": { readonly schema: Shape } } };
  readonly responses: Readonly<Record<string, { readonly content: { readonly "application/json": { readonly schema: Shape } } }>>;
}

/** An operation as the gateway describes it. */
async function operationOf(path: string, method: "get" | "post"): Promise<Operation> {
  const { body } = await request(`${gateway.url}/openapi.json`);
  return (body["paths"] as Record<string, Record<string, Operation>>)[path]?.[method] as Operation;
}

const namesIn = (text = ""): string[] => text.split(/[ ,]+/).filter((name) => name !== "");

test("the README names each option of a job that is added, and no other", async () => {
  const documented = new Map(Array.from(adding.matchAll(/^\| `([a-zA-Z]+)` *\| (.*?) *\|$/gm), ([, name = "", what = ""]) => [name, what]));
  const { properties } = (await operationOf("/v1/queues/{queue}/jobs", "post")).requestBody.content["application/json"].schema;
  const options = properties["options"]?.properties ?? {};
  expect([...documented.keys()].toSorted()).toEqual(Object.keys(options).toSorted());
  const [, members] = /`\{ ([a-z?, ]+) \}`/.exec(documented.get("deduplicate") ?? "") ?? [];
  expect(namesIn(members?.replaceAll("?", "")).toSorted()).toEqual(Object.keys(options["deduplicate"]?.properties ?? {}).toSorted());
});

test("it names each member of a queue's counts, and no other", async () => {
  const schema = (await operationOf("/v1/queues/{queue}", "get")).responses["200"]?.content["application/json"].schema;
  const [, all, counts] = /`\{ ([a-zA-Z, ]+) \}`, where `counts` is `\{ ([a-z, ]+) \}`/.exec(seeing) ?? [];
  expect(namesIn(all).toSorted()).toEqual(Object.keys(schema?.properties ?? {}).toSorted());
  expect(namesIn(counts).toSorted()).toEqual(Object.keys(schema?.properties["counts"]?.properties ?? {}).toSorted());
});

test("the body that it shows adds a job as it says, once", async () => {
  const body = JSON.parse(/^```json\n(.*?)^```$/ms.exec(adding)?.[1] ?? "") as { readonly options: object };
  const first = await request(`${gateway.url}/v1/queues/emails/jobs`, { body, headers });
  expect(first).toMatchObject({ status: 201, body: { added: true } });
  const id = String(first.body["id"]);
  expect(await keyline.queue("emails").job(id)).toMatchObject({ state: "scheduled", priority: "high", group: "customer-7" });
  expect(await request(`${gateway.url}/v1/queues/emails/jobs`, { body, headers })).toMatchObject({
    status: 201,
    body: { id, added: false },
  });
  const { body: answer } = await request(`${gateway.url}/v1/queues/emails`, { headers });
  expect(answer).toMatchObject({ counts: { waiting: 0, scheduled: 1, blocked: 0 }, paused: false });
});
