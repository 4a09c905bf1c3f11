import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import { Discard } from "keyline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

// What a server refuses for as long as somebody has not mended it must not be asked for in a loop, whatever else succeeds meanwhile.

let server: EmbeddedValkey;
let stage: Stage;
beforeEach(async () => {
  server = await startValkey();
  stage = await openStage({ valkeyUrl: server.url });
});
afterEach(async () => {
  await stage.close();
  await server.stop();
});

/** How many commands the server was sent by others in `ms` milliseconds. A busy machine sends fewer. */
async function commandsWithin(ms: number): Promise<number> {
  const count = async (): Promise<number> => Number(/total_commands_processed:(\d+)/.exec(await stage.valkey.info("stats"))?.[1]);
  const before = await count();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return (await count()) - before;
}

function told(message: string): number {
  return stage.log.filter((line) => line.message === message).length;
}

test("a worker that waits on a full Valkey asks it a few times a second, says so once, and goes on when there is room", async () => {
  const queue = stage.keyline().queue<number>("full");
  const idle = Promise.withResolvers<void>();
  const done: number[] = [];
  const worker = queue.work((job) => void done.push(job.data));
  worker.on("idle", () => idle.resolve());
  await idle.promise;
  await stage.valkey.config("SET", "maxmemory", "1");
  await queue.add(1).catch(() => undefined);
  await eventually("it was refused", () => told("waiting for a job was refused; the queue is looked at now and then") > 0);
  expect(await commandsWithin(3_000)).toBeLessThan(80);
  expect(
    stage.log.filter(
      ({ level, message }) => level !== "debug" && message === "waiting for a job was refused; the queue is looked at now and then",
    ),
  ).toHaveLength(1);
  await stage.valkey.config("SET", "maxmemory", "0");
  await queue.add(2);
  await eventually("it ran", () => done.includes(2));
});

test("a dead letter that is refused does not slow its neighbours, and is handed in less and less often", async () => {
  const queue = stage.keyline().queue<number>("letters");
  await stage.valkey.set(`${stage.prefix}:{letters}:dead`, "not a list");
  let done = 0;
  stage
    .keyline()
    .queue<number>("letters")
    .work(
      (job) => {
        if (job.data < 0) throw new Discard("no");
        done++;
      },
      { concurrency: 10 },
    );
  await queue.add(-1);
  await eventually("it was refused", () => told("a job could not be handed in") > 0);
  const before = told("a job could not be handed in");
  let added = 0;
  for (const until = performance.now() + 2_000; performance.now() < until; added++) await queue.add(added);
  await eventually("the others ran", () => done === added);
  expect(told("a job could not be handed in") - before).toBeLessThan(20);
  await stage.valkey.del(`${stage.prefix}:{letters}:dead`);
  await eventually("it is a dead letter", async () => (await queue.counts()).dead === 1);
});

test("an entry whose end is refused does not slow its neighbours, and is handed in less and less often", async () => {
  const stream = stage.keyline().stream<number>("entries");
  await stage.valkey.set(`${stage.prefix}:{entries}:group:all:dead:order`, "no sorted set");
  let done = 0;
  stage
    .keyline()
    .stream<number>("entries")
    .consume(
      "all",
      (entry) => {
        if (entry.data < 0) throw new Discard("no");
        done++;
      },
      { concurrency: 10 },
    );
  await stream.append(-1);
  await eventually("it was refused", () => told("an entry could not be handed in") > 0);
  const before = told("an entry could not be handed in");
  let added = 0;
  for (const until = performance.now() + 2_000; performance.now() < until; added++) await stream.append(added);
  await eventually("the others ran", () => done === added);
  expect(told("an entry could not be handed in") - before).toBeLessThan(20);
  await stage.valkey.del(`${stage.prefix}:{entries}:group:all:dead:order`);
  await eventually("it is a dead letter", async () => (await stream.group("all").status())?.dead === 1);
});

test("the relay tries a queue that Valkey is too full for less and less often", async () => {
  const keyline = stage.keyline();
  await keyline.migrate();
  const queue = keyline.queue<number>("relayed", { transactional: true });
  await queue.add(0);
  await eventually("it is there", async () => (await queue.counts()).waiting === 1);
  await stage.valkey.config("SET", "maxmemory", "1");
  await queue.add(1);
  const message = "the relay could not deliver a queue's jobs; it tries again";
  await eventually("it was refused", () => told(message) > 0);
  const before = told(message);
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  expect(told(message) - before).toBeLessThan(7);
  expect(stage.log.filter((line) => line.level !== "debug" && line.message === message)).toHaveLength(1);
  await stage.valkey.config("SET", "maxmemory", "0");
  await eventually("it was delivered", async () => (await queue.counts()).waiting === 2);
});
