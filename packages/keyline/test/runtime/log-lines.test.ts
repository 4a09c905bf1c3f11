import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { parseJson } from "../../src/runtime/json.ts";
import { silentLogger, withFields } from "../../src/runtime/logger.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const secret = "s3cr3tword";
const written = (): string =>
  JSON.stringify(stage.log, (_, value: unknown) => (value instanceof Error ? [value.message, value.stack, Object.entries(value)] : value));

test("a dead letter's line has its queue, its job and its worker", async () => {
  const queue = stage.keyline().queue<number>("lines", { maxAttempts: 1 });
  const worker = queue.work(() => {
    throw new Error("no");
  });
  worker.on("dead", () => {
    throw new Error("a listener of the user's");
  });
  const { id } = await queue.add(1);
  await eventually(
    "both lines are there",
    () => stage.log.filter(({ details }) => "queue" in details && details.queue === "lines").length >= 2,
  );
  await worker.stop();
  const line = (message: string) => stage.log.find((one) => one.message === message);
  expect(line("a job is a dead letter")).toMatchObject({
    level: "warn",
    details: { queue: "lines", id, error: "no", worker: expect.any(String) },
  });
  expect(line("a listener threw")).toMatchObject({
    level: "error",
    details: { queue: "lines", event: "dead", error: "a listener of the user's", worker: expect.any(String) },
  });
});

test("a consumer's lines have stream, group and consumer", async () => {
  const stream = stage.keyline().stream<number>("lines");
  const consumer = stream.consume(
    "group",
    () => {
      throw new Error("no");
    },
    { maxAttempts: 1 },
  );
  const { id } = await stream.append(1);
  const found = () => stage.log.find(({ message }) => message === "an entry is a dead letter");
  await eventually("it is dead", () => found() !== undefined);
  await consumer.stop();
  expect(found()?.details).toMatchObject({ stream: "lines", group: "group", id, consumer: expect.any(String) });
});

test("no part of what somebody sent is logged, whatever is wrong with it", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue("broken", { schema: z.object({ password: z.number() }) });
  await stage.valkey.lpush(
    `${stage.prefix}:{broken}:waiting`,
    `${secret} is no JSON`,
    `{"id":"1","data":{"password":"${secret}"}}`,
    `{"id":"2","data":${secret}}`,
  );
  const worker = queue.work(() => undefined);
  const channel = keyline.channel("broken", { history: {}, schema: z.object({ password: z.number() }) });
  const subscription = channel.subscribe(() => undefined);
  await subscription.ready;
  await stage.valkey.publish(`${stage.prefix}:{broken}:live`, `${secret} is no JSON`);
  await stage.valkey.publish(`${stage.prefix}:{broken}:live`, `{"data":{"password":"${secret}"}}`);
  const stream = keyline.stream("broken");
  await stage.valkey.xadd(`${stage.prefix}:{broken}:events`, "*", "data", `${secret} is no JSON`);
  const consumer = stream.consume("group", () => undefined);
  for await (const entry of stream.read()) expect(entry).toBeUndefined();
  await eventually(
    "all were told of",
    () => stage.log.filter(({ level, details }) => level === "warn" && JSON.stringify(details).includes("broken")).length >= 7,
  );
  await Promise.all([worker.stop(), consumer.stop(), subscription.close()]);
  expect(written()).not.toContain(secret);
});

test("no password is logged", async () => {
  const wrong = (url: string): string => {
    const one = new URL(url);
    one.username = "nobody";
    one.password = secret;
    return one.href;
  };
  const keyline = stage.keyline({ valkey: wrong(stage.valkeyUrl), postgres: "postgres://nobody:s3cr3tword@127.0.0.1:1/nothing" });
  await expect(keyline.queue("closed").add(1)).rejects.toThrow();
  await expect(keyline.queue("closed-rows", { transactional: true }).add(1)).rejects.toThrow();
  expect(stage.log.length).toBeGreaterThan(0);
  expect(written()).not.toContain(secret);
});

test("the reason why a text is no JSON has none of the text in it", () => {
  for (const text of [secret, `{"a":${secret}}`, `{"password":"${secret}"x}`, `["${secret}",]`, `{"a":"${secret}`, `"${secret}"\n"x"`]) {
    expect(() => parseJson(text)).toThrow(SyntaxError);
    expect(() => parseJson(text)).not.toThrow(secret.slice(0, 5));
  }
});

test("fields are added to each line, and those of the line itself count; a silent logger stays as it is", () => {
  const lines: unknown[] = [];
  const take = (details: object, message: string): void => void lines.push([details, message]);
  let worker: string | undefined;
  const logger = withFields({ ...silentLogger, info: take }, () => ({ queue: "q", worker }));
  logger.info({}, "before");
  worker = "w";
  logger.info({ worker: "other" }, "after");
  expect(lines).toEqual([
    [{ queue: "q", worker: undefined }, "before"],
    [{ queue: "q", worker: "other" }, "after"],
  ]);
  expect(withFields(silentLogger, { queue: "q" })).toBe(silentLogger);
});
