import { Keyline } from "keyline";
import { afterAll, beforeAll, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { openStage, type Stage } from "./support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

test("the types of data follow from the schema, also for what the key is made of", async () => {
  const schema = z.object({ reviewId: z.number() });
  const keyline = stage.keyline();
  const stream = keyline.stream("typed", { schema, key: (event) => String(event.reviewId) });
  const recorded = (): unknown =>
    new Keyline({ valkey: "" }).stream("typed", { schema, key: (event) => String(event.reviewId), transactional: true });
  expectTypeOf(recorded).toBeFunction();
  await stream.append({ reviewId: 7 });
  const [entry] = await stream.history("7");
  expectTypeOf(entry?.data.reviewId).toEqualTypeOf<number | undefined>();
  expect(entry?.data).toEqual({ reviewId: 7 });
  const plain = keyline.stream<{ readonly id: string }>("plain", { key: (event) => event.id });
  expectTypeOf(plain.append).parameter(0).toEqualTypeOf<{ readonly id: string }>();
});

test("a listener to an event that there is none of does not compile", async () => {
  const queue = stage.keyline().queue<number>("events");
  const worker = queue.work(() => undefined);
  worker.on("completed", ({ data }) => expectTypeOf(data).toEqualTypeOf<number>());
  // @ts-expect-error it is misspelt
  worker.on("complete", () => undefined);
  const consumer = stage
    .keyline()
    .stream<number>("listened")
    .consume("g", () => undefined);
  // @ts-expect-error it is misspelt
  consumer.on("complted", () => undefined);
  await Promise.all([worker.stop(), consumer.stop()]);
});

test("schedules are an array when they are awaited, and can be gone through as they are", async () => {
  const queue = stage.keyline().queue<number>("scheduled");
  for (const name of ["a", "b"]) await queue.schedule(name, { every: 3_600_000, data: 1 });
  const names: string[] = [];
  for (const { name } of await queue.schedules()) names.push(name);
  for await (const { name } of queue.schedules()) names.push(name);
  expect(names).toEqual(["a", "b", "a", "b"]);
});

test("every event of a queue has an id or none", () => {
  const queue = stage.keyline().queue<number>("told");
  const read = async (): Promise<(string | undefined)[]> => {
    const ids: (string | undefined)[] = [];
    for await (const event of queue.events()) ids.push(event.id);
    return ids;
  };
  expectTypeOf(read).toBeFunction();
});

test("what is consumed of a plain stream cannot be settled, and that does not compile", async () => {
  const keyline = stage.keyline();
  const plain = keyline.stream<number>("consumed");
  const refused = Promise.withResolvers<unknown>();
  // @ts-expect-error there is no settle
  const consumer = plain.consume("g", async (entry, { settle }) => {
    const effects = { text: "SELECT 1" };
    await (settle as (statement: typeof effects) => Promise<boolean>)(effects).catch(refused.resolve);
  });
  await plain.append(1);
  expect(await refused.promise).toMatchObject({ code: "NOT_TRANSACTIONAL" });
  await consumer.stop();
  const recorded = (): unknown =>
    keyline.stream<number>("recorded", { transactional: true }).consume("g", async (entry, { settle }) => {
      expectTypeOf(entry.data).toEqualTypeOf<number>();
      await settle({ text: "SELECT 1" });
    });
  expectTypeOf(recorded).toBeFunction();
});
