import { Keyline, type Channel, type Queue, type Stream } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "./support/stage.ts";

let stage: Stage;
let queue: Queue<number>;
let stream: Stream<number>;
let channel: Channel<number>;
beforeAll(async () => {
  stage = await openStage();
  const keyline = stage.keyline();
  queue = keyline.queue<number>("wrong");
  stream = keyline.stream<number>("wrong", { key: String });
  channel = keyline.channel<number>("wrong", { history: {} });
});
afterAll(() => stage.close());

// What a user without types, or with a typing error, may write.
const wrong = null as never;
const refusal = (message: RegExp): object =>
  expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringMatching(message) as string }) as object;
const call = async (work: () => unknown): Promise<unknown> => work();

describe("what is no object of options is refused, with the name of the call", () => {
  test.each<[string, () => unknown]>([
    ["queue", () => stage.keyline().queue("a", wrong)],
    ["channel", () => stage.keyline().channel("a", wrong)],
    ["stream", () => stage.keyline().stream("a", wrong)],
    ["backoff", () => stage.keyline().queue("a", { backoff: wrong })],
    ["limits", () => stage.keyline().queue("a", { limits: wrong })],
    ["limits", () => queue.setLimits(wrong)],
    ["retention", () => stage.keyline().stream("a", { retention: wrong })],
    ["history", () => stage.keyline().channel("a", { history: true as never })],
    ["add", () => queue.add(1, wrong)],
    ["addMany", () => queue.addMany([{ data: 1 }], wrong)],
    ["work", () => queue.work(() => undefined, wrong)],
    ["workBatch", () => queue.workBatch(() => undefined, wrong)],
    ["groups", () => queue.groups(wrong)],
    ["pause", () => queue.pause(wrong)],
    ["rates", () => queue.rates(wrong)],
    ["waitFor", () => queue.waitFor("a", wrong)],
    ["append", () => stream.append(1, wrong)],
    ["read", () => stream.read(wrong)],
    ["history", () => stream.history("a", wrong)],
    ["publish", () => channel.publish(1, wrong)],
    ["subscribe", () => channel.subscribe(wrong)],
    ["history", () => channel.history(wrong)],
    ["enter", () => channel.presence.enter("a", wrong)],
  ])("%s", async (what, work) => {
    await expect(call(work)).rejects.toThrow(refusal(new RegExp(`^${what} takes an object of options, not `)));
  });
});

describe("an option that is not known, or of another kind, is refused", () => {
  test.each<[string, RegExp, () => unknown]>([
    ["a misspelt one of a history", /^history has no option "lmit"/, () => channel.history({ lmit: 5 } as never)],
    ["a misspelt one of a presence", /^enter has no option "x"/, () => channel.presence.enter("a", { x: 1 } as never)],
    ["a direction that is a text", /^reverse must be true or false/, () => stream.read({ reverse: "false" as never })],
    ["a listener to gaps that is none", /^onGap must be a function/, () => channel.subscribe({ onGap: 5 as never })],
    ["a listener to gaps of events that is none", /^onGap must be a function/, () => queue.events({ onGap: "x" as never })],
    ["a schema that is none", /^schema must be a Standard Schema/, () => stage.keyline().queue("b", { schema: {} as never })],
    ["jobs that are no array", /^addMany takes an array of jobs, not null/, () => queue.addMany(wrong)],
    ["a job that is no object", /^a job of addMany takes an object/, () => queue.addMany([wrong])],
    [
      "a rate that is given twice",
      /^rateLimit and limits\.rate are the same/,
      () => stage.keyline().queue("c", { rateLimit: { max: 1, per: 1 }, limits: { rate: { max: 1, per: 1 } } }),
    ],
    ["a rate that is none", /^limits\.rate\.max must be/, () => stage.keyline().queue("c", { rateLimit: { max: 0, per: 1 } })],
  ])("%s", async (_, message, work) => {
    await expect(call(work)).rejects.toThrow(refusal(message));
  });
});

describe("a handler that is no function is refused, and nothing is taken", () => {
  test.each<[string, () => unknown]>([
    ["work", () => queue.work(wrong)],
    ["work", () => queue.work("x" as never)],
    ["workBatch", () => queue.workBatch(5 as never)],
    ["consume", () => stream.consume("g", 5 as never)],
    [
      "project",
      () =>
        stage
          .keyline()
          .stream<number>("wrong", { key: String })
          .project("p", {} as never),
    ],
  ])("%s", async (what, work) => {
    const { id } = await queue.add(1);
    await expect(call(work)).rejects.toThrow(refusal(new RegExp(`^The handler of ${what} must be a function, not `)));
    expect(await queue.job(id)).toMatchObject({ state: "waiting", attempts: 0 });
  });
});

describe("an address that is none is refused before anything connects", () => {
  const valkey = "valkey://127.0.0.1:1";
  test.each<[string, RegExp, object]>([
    ["nothing", /^valkey must be a URL/, {}],
    ["a URL in an object", /^valkey has no option "url"/, { valkey: { url: valkey } }],
    ["a misspelt host", /^valkey has no option "hots"/, { valkey: { hots: "a" } }],
    ["no host", /^valkey\.host must be/, { valkey: {} }],
    ["a port that is a text", /^valkey\.port must be/, { valkey: { host: "a", port: "6379" } }],
    ["a database that is none", /^valkey\.db must be/, { valkey: { host: "a", db: -1 } }],
    ["a cluster without nodes", /^valkey\.cluster must be an array/, { valkey: { cluster: [] } }],
    ["a node without a host", /^valkey\.cluster\[0\]\.host must be/, { valkey: { cluster: [{}] } }],
    ["sentinels without a name", /^valkey\.name must be/, { valkey: { sentinels: [{ host: "a" }] } }],
    ["a database's name alone", /"foo" is no PostgreSQL address/, { valkey, postgres: "foo" }],
    ["a number", /^5 is no PostgreSQL address/, { valkey, postgres: 5 }],
  ])("%s", (_, message, options) => {
    expect(() => new Keyline(options as never)).toThrow(refusal(message));
  });

  test("and a password is not told", () => {
    const open = (): Keyline => new Keyline({ valkey, postgres: "mysql://me:secret@db/x" });
    expect(open).toThrow(refusal(/mysql:\/\/me:\*\*\*@db/));
    expect(open).not.toThrow(/secret/);
  });
});

test("a queue's rateLimit is its limit of the rate", async () => {
  const limited = stage.keyline().queue<number>("limited", { rateLimit: { max: 5, per: 1_000 }, limits: { concurrency: 3 } });
  const worker = limited.work(() => undefined);
  await limited.add(1);
  await expect.poll(() => limited.limits()).toEqual({ concurrency: 3, rate: { max: 5, per: 1_000 } });
  await worker.stop();
});
