import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { join, relative } from "node:path";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { ChannelExposure } from "../../src/index.ts";
import { openGateway, secret, signToken } from "../support/gateway.ts";

const root = join(import.meta.dirname, "../../../..");
const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
const snippetsOf = (language: string): string[] => {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"))].map(([, text = ""]) => text);
};
const programs = snippetsOf("ts");
const programWith = (text: string): string => programs.find((program) => program.includes(text)) ?? "";

// In this folder, from which the packages are found.
const folder = mkdtempSync(join(import.meta.dirname, ".tmp-"));
writeFileSync(join(folder, ".gitignore"), "*\n");
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
});
afterAll(async () => {
  await stage.close();
  rmSync(folder, { recursive: true, force: true });
});

function run(args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const env = { ...process.env, GATEWAY_SECRET: secret };
    execFile(process.execPath, args, { timeout: 60_000, env }, (error, stdout, stderr) => {
      resolve(`${stdout}${stderr}${error ? `exit ${String(error.code)}` : ""}`);
    });
  });
}

test("every ts snippet has the right types", async () => {
  const files = programs.map((text, index) => relative(folder, write(`types-${index}.ts`, text)));
  expect(files.length).toBeGreaterThanOrEqual(2);
  write("tsconfig.json", JSON.stringify({ extends: relative(folder, join(root, "tsconfig.json")), include: files }));
  expect(await run([join(root, "node_modules/typescript/bin/tsc"), "--noEmit", "-p", join(folder, "tsconfig.json")])).toBe("");
}, 120_000);

test("the gateway of the first snippet serves what it names", async () => {
  const program = programWith("startGateway")
    .replace('"valkey://localhost:6379"', `"${stage.valkeyUrl}", prefix: "${stage.prefix}"`)
    .replace('host: "0.0.0.0"', 'host: "127.0.0.1", port: 0');
  const asking = `
    const statusOf = async (path: string) => (await fetch(url + path)).status;
    console.log(await statusOf("/v1/queues"), await statusOf("/v1/queues/emails"), await statusOf("/v1/queues/other"));
    console.log(await statusOf("/v1/channels/tech_news/messages"), gateway.connections);
    await close();
    await keyline.close();`;
  const printed = await run(["--conditions=development", write("first.ts", program + asking)]);
  expect(printed.trim().split("\n")).toEqual(["200 401 401", "200 1"]);
}, 90_000);

test("the console of the second snippet is on the gateway's server, and closes with it", async () => {
  await keyline.migrate();
  const program = programWith("mountFastify")
    .replace('"valkey://localhost:6379"', `"${stage.valkeyUrl}", prefix: "${stage.prefix}"`)
    .replace("postgres://localhost/sales", stage.databaseUrl)
    .replace("  keyline,\n  access,\n", "  keyline,\n  access,\n  port: 0,\n");
  const token = await signToken({ console: "operator" });
  const asking = `
    const headers = { authorization: "Bearer ${token}" };
    const statusOf = async (path: string, init = {}) => (await fetch(url + path, init)).status;
    console.log(await statusOf("/v1/queues"), await statusOf("/console/api/me"), await statusOf("/console/api/me", { headers }));
    const paused = { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: "{}" };
    console.log(await statusOf("/console/api/queues/emails/pause", paused), await statusOf("/elsewhere"));
    const live = await fetch(url + "/console/api/live?topics=overview", { headers });
    const text = live.text();
    await close();
    console.log(/event: end/.test(await text));
    await keyline.close();`;
  await keyline.queue("emails").add(1);
  const isKnown = async (): Promise<boolean> => (await keyline.directory.queues()).some(({ name }) => name === "emails");
  await eventually("it is in the directory", isKnown);
  const printed = await run(["--conditions=development", write("console.ts", program + asking)]);
  expect(printed.trim().split("\n")).toEqual(["200 401 200", "200 404", "true"]);
  expect(await keyline.queue("emails").counts()).toMatchObject({ paused: true });
}, 90_000);

test("the page's snippet gets messages", async () => {
  const news = keyline.channel("tech_news", { history: {} });
  const gateway = await openGateway({ keyline, channels: [{ channel: news, access: "public" }] });
  const [page = ""] = snippetsOf("js");
  const file = write(
    "page.mjs",
    `${page.replace("https://example.com", gateway.url)}\nevents.addEventListener("open", () => console.log("open"));\n`,
  );
  const child = spawn(process.execPath, ["--experimental-eventsource", "--no-warnings", file], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe("open");
  await news.publish("Valkey 9 is out");
  expect((await lines.next()).value).toBe("Valkey 9 is out");
  child.kill();
  await gateway.close();
}, 90_000);

test("the function that finds channels says of a table that is away what makes clients try again", async () => {
  interface Rooms {
    readonly roomsOf: (keyline: Keyline, pool: Stage["pool"]) => (name: string) => Promise<ChannelExposure | undefined>;
  }
  const { roomsOf } = (await import(write("rooms.ts", programWith("roomsOf")))) as Rooms;
  const find = roomsOf(keyline, stage.pool);
  await expect(find("lobby")).rejects.toMatchObject({ code: "POSTGRES_UNAVAILABLE" });
  await stage.pool.query("CREATE TABLE rooms (name text)");
  await stage.pool.query("INSERT INTO rooms VALUES ('lobby')");
  expect(await find("lobby")).toMatchObject({ access: "token" });
  expect(await find("cellar")).toBeUndefined();
});
