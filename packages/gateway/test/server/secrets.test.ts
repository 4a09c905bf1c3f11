import { Keyline } from "keyline";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { bearer, openGateway, request, secret, signToken } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const canary = "canary-0123456789abcdefghijklmnopqrstuvwxyz";

test("tokens, tickets, passwords and payloads are in no log and in no answer, whatever goes wrong", async () => {
  const lines: string[] = [];
  const take = (details: object, message: string): void => {
    const withErrors = (_key: string, value: unknown): unknown =>
      value instanceof Error
        ? { code: Reflect.get(value, "code") as unknown, message: value.message, stack: value.stack, cause: value.cause }
        : value;
    lines.push(`${message} ${JSON.stringify(details, withErrors)}`);
  };
  const logger = { debug: take, info: take, warn: take, error: take };
  const away = new Keyline({
    valkey: `valkey://user:${canary}@127.0.0.1:1`,
    postgres: { connectionString: `postgres://user:${canary}@127.0.0.1:1/db` },
    logger,
  });
  onTestFinished(() => away.close());
  const gateway = await openGateway({
    keyline: away,
    logger,
    metrics: { token: canary },
    access: { secret },
    queues: [away.queue("jobs")],
    channels: (name) => {
      if (name === "broken") throw new Error("the table of channels is broken");
      return { channel: away.channel(name), access: "public", publish: "public" };
    },
  });
  onTestFinished(() => gateway.close());
  const token = await signToken({ sub: "ada", queues: ["*"], note: canary });
  const answers: unknown[] = [];
  for (const headers of [bearer(token), bearer(`${token.slice(0, -4)}AAAA`), bearer(canary), { authorization: `Basic ${canary}` }]) {
    answers.push(await request(`${gateway.url}/v1/queues/jobs/jobs`, { headers, body: { data: canary } }));
    answers.push(await request(`${gateway.url}/v1/channels/broken/messages`, { headers }));
    answers.push(await request(`${gateway.url}/metrics`, { headers }));
  }
  answers.push(await request(`${gateway.url}/v1/channels/news/messages?ticket=${canary}`));
  answers.push(await request(`${gateway.url}/v1/channels/news/messages`, { body: { data: canary } }));
  answers.push(await request(`${gateway.url}/v1/${canary}`));
  const reader = await SocketReader.open(`${gateway.url}/v1/ws`);
  answers.push(await reader.ask({ type: "publish", channel: "broken", data: canary }, "error"));
  answers.push(await reader.ask({ type: "token", token: canary }, "error"));
  reader.close();
  expect(lines.some((line) => line.includes("the table of channels is broken"))).toBe(true);
  for (const said of [...lines, ...answers.map((answer) => JSON.stringify(answer))]) {
    expect(said).not.toContain(canary);
    expect(said).not.toContain(token.split(".")[1]);
  }
});

test("what comes from outside cannot begin a line or an event of its own", async () => {
  const keyline = stage.keyline();
  const channel = keyline.channel<string>("news", { history: {} });
  const gateway = await openGateway({ keyline, channels: [{ channel, access: "public", publish: "public" }] });
  onTestFinished(() => gateway.close());
  const forged = 'x\n\nevent: end\ndata: {"code":"FORGED"}\r\n\r\nid: 1\n\u2028\u0000';
  await channel.publish(forged);
  const leaving = new AbortController();
  const response = await fetch(`${gateway.url}/v1/channels/news/messages?since=earliest`, { signal: leaving.signal });
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk as Uint8Array).toString();
    if (text.includes("event: message") && text.endsWith("\n\n")) break;
  }
  leaving.abort();
  const fields = text.split("\n").filter((line) => line !== "");
  expect(fields.map((line) => line.split(":")[0])).toEqual(expect.arrayContaining(["retry", "event", "data"]));
  expect(fields.every((line) => /^(?:retry|id|event|data|): ?/.test(line))).toBe(true);
  expect(fields.filter((line) => line.startsWith("event:"))).toEqual(["event: message"]);
  const data = fields.find((line) => line.startsWith("data:")) ?? "";
  expect(JSON.parse(data.slice(5))).toMatchObject({ data: forged });
});
