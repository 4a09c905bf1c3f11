import type { Logger } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { openConsole, signToken } from "../support/console-server.ts";
import { openLive } from "../support/live-events.ts";

const secrets = ["abc-4711-xyz", "hunter2", "tok-90210", "p4ss-w0rd"];

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

function recorder(): { readonly logger: Logger; readonly lines: { level: string; details: object; text: string }[] } {
  const lines: { level: string; details: object; text: string }[] = [];
  const at =
    (level: string) =>
    (details: object, text: string): void =>
      void lines.push({ level, details, text });
  return { logger: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }, lines };
}

function expectNoSecret(text: string): void {
  for (const secret of secrets) expect(text).not.toContain(secret);
}

test.each([{ transactional: false }, { transactional: true }])(
  "a job that says secrets in its progress and in its errors is followed live without them (%j)",
  async (of) => {
    const name = `leaky-${of.transactional}`;
    const { logger, lines } = recorder();
    const console = await openConsole({ keyline: stage.keyline(), logger, redact: ["pin"] });
    const backoff = { type: "fixed", delay: 1, jitter: 0 } as const;
    const queue = stage.keyline().queue<object>(name, { ...of, maxAttempts: 2, backoff } as { transactional: false });
    await queue.add({ token: "tok-90210" }, { id: "one" });
    await eventually("the console knows it", async () => (await console.get(`api/queues/${name}`)).status === 200);
    const topics = [`events:${name}`, `job:${name}/one`, `queue:${name}`, "overview"];
    const live = await openLive(console.url, topics.join(","), await signToken({ console: "viewer" }));
    const told = (type: string): boolean => live.events.some(({ data }) => JSON.stringify(data.rows ?? []).includes(`"type":"${type}"`));
    let others = 0;
    await eventually("it follows", async () => {
      await queue.add({}, { id: `other-${others++}`, delay: 3_600_000 });
      return told("added");
    });
    const { opened, open } = gate();
    const worker = queue.work(async (job) => {
      await job.progress({ percent: 10, password: "hunter2", nested: { pin: "p4ss-w0rd" }, note: "token: tok-90210" });
      await opened;
      throw new Error(`no access with token=abc-4711-xyz to https://ada:hunter2@example.com/, pin=p4ss-w0rd`);
    });
    await eventually("its progress is told", () => told("progress"));
    await live.find("its state tells the progress", ({ data }) => data.kind === "job" && JSON.stringify(data).includes('"percent":10'));
    open();
    await eventually("its end is told", () => told("retried") && told("dead"));
    await live.find("its state is dead", ({ data }) => data.kind === "job" && data.data?.state === "dead");
    await worker.stop();
    const all = JSON.stringify(live.events);
    expectNoSecret(all);
    for (const shown of ['"password":"[hidden]"', '"pin":"[hidden]"', "note", "token=[hidden]", "pin=[hidden]"])
      expect(all).toContain(shown);
    live.close();
    await console.close();
    expectNoSecret(JSON.stringify(lines));
  },
);

test("what a route fails with is logged without its secrets, and not answered", async () => {
  const { logger, lines } = recorder();
  const console = await openConsole({
    keyline: stage.keyline(),
    logger,
    queues: () => {
      throw new Error("connect to postgres://app:hunter2@db/app failed, token=abc-4711-xyz");
    },
  });
  const answer = await console.get("api/queues/any/jobs/password=p4ss-w0rd");
  expect(answer.body).toMatchObject({ status: 500, code: "INTERNAL_ERROR" });
  expectNoSecret(answer.text);
  expect(lines).toMatchObject([{ level: "error", text: "a request failed" }]);
  const logged = JSON.stringify(lines);
  expectNoSecret(logged);
  expect(logged).toContain("token=[hidden]");
  expect(logged).toContain("redact-live.test.ts");
  // The same of a topic, which is read on and on.
  await expect(openLive(console.url, "queue:any", await signToken({ console: "viewer" }))).rejects.toThrow("500");
  expectNoSecret(JSON.stringify(lines));
  await console.close();
});
