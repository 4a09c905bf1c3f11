import { Discard, type Stream } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collected } from "../../support/collected.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

interface N {
  readonly n: number;
}

let stage: Stage;
let streams = 0;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe.each([false, true])("dead letters of a group (transactional: %s)", (transactional) => {
  /** With so many dead letters, in the order of their entries, and no consumer. */
  async function openMorgue(count: number): Promise<{ readonly stream: Stream<N>; readonly ids: readonly string[] }> {
    const rules = { key: ({ n }: N) => `key-${n % 2}` };
    const name = `letters-${streams++}`;
    const stream: Stream<N> = transactional
      ? stage.keyline().stream<N>(name, { ...rules, transactional: true })
      : stage.keyline().stream<N>(name, rules);
    const ids = (await stream.appendMany(upTo(count).map((n) => ({ n })))).map(({ id }) => id);
    const consumer = stream.consume(
      "g",
      ({ data }) => {
        throw new Discard(`no ${data.n}`);
      },
      { concurrency: 50 },
    );
    let deaths = 0;
    consumer.on("dead", () => deaths++);
    await eventually("all are dead", () => deaths === count);
    await consumer.stop();
    return { stream, ids };
  }

  async function run(stream: Stream<N>, count: number): Promise<number[]> {
    const ran: number[] = [];
    const consumer = stream.consume("g", ({ data }) => void ran.push(data.n));
    await eventually("they ran", () => ran.length === count);
    await consumer.stop();
    return ran.toSorted((one, other) => one - other);
  }

  test("are read newest first, in pages, and from a cursor", async () => {
    const { stream, ids } = await openMorgue(5);
    const group = stream.group("g");
    const all = await collected(group.deadLetters());
    expect(all.map(({ id }) => id)).toEqual(ids.toReversed());
    expect(all[0]).toMatchObject({ key: "key-0", data: { n: 4 }, reason: "Discard: no 4", attempts: 1 });
    expect((await collected(group.deadLetters({ limit: 2 }))).map(({ id }) => id)).toEqual([ids[4], ids[3]]);
    expect((await collected(group.deadLetters({ cursor: all[1]?.cursor ?? "", limit: 2 }))).map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    expect(await collected(group.deadLetters({ cursor: all[4]?.cursor ?? "" }))).toEqual([]);
  });

  test("are redriven by the ids of their entries, and the others stay", async () => {
    const { stream, ids } = await openMorgue(5);
    const group = stream.group("g");
    expect(await group.redrive({ ids: [ids[3] as string, ids[1] as string, ids[1] as string, "1-1"] })).toBe(2);
    expect((await collected(group.deadLetters())).map(({ id }) => id)).toEqual([ids[4], ids[2], ids[0]]);
    expect(await run(stream, 2)).toEqual([1, 3]);
    expect(await group.redrive({ limit: 1 })).toBe(1);
    expect(await run(stream, 1)).toEqual([0]);
    expect(await group.redrive()).toBe(2);
    expect(await run(stream, 2)).toEqual([2, 4]);
    expect((await group.status()).dead).toBe(0);
  });

  test("are acted on page by page: it is told how many, and a signal ends it behind a page", async () => {
    const count = 620;
    const { stream, ids } = await openMorgue(count);
    const group = stream.group("g");
    const stopping = new AbortController();
    const told: number[] = [];
    const stopped = new Error("somebody pressed Ctrl-C");
    const onProgress = ({ done }: { readonly done: number }): void => {
      told.push(done);
      stopping.abort(stopped);
    };
    await expect(group.redrive({ onProgress, signal: stopping.signal })).rejects.toBe(stopped);
    const [redriven = 0] = told;
    expect(told).toHaveLength(1);
    expect(redriven).toBeGreaterThan(0);
    expect((await group.status()).dead).toBe(count - redriven);
    // What was redriven before it was stopped is handed out.
    await run(stream, redriven);
    const counted: number[] = [];
    expect(await group.discard({ ids, onProgress: ({ done }) => void counted.push(done) })).toBe(count - redriven);
    expect(counted.length).toBeGreaterThan(1);
    expect(counted.at(-1)).toBe(count - redriven);
    await expect(group.discard({ all: true, signal: AbortSignal.abort(stopped) })).rejects.toBe(stopped);
    await expect(group.redrive({ signal: 1 as never })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(group.discard({ all: true, onProgress: "x" as never })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });

  test("are discarded by ids, or all, and their entries are not handed out again", async () => {
    const { stream, ids } = await openMorgue(5);
    const group = stream.group("g");
    expect(await group.discard({ ids: [ids[3] as string, "1-1"] })).toBe(1);
    expect((await group.status()).dead).toBe(4);
    expect(await group.discard({ all: true })).toBe(4);
    expect((await group.status()).dead).toBe(0);
    expect(await group.redrive()).toBe(0);
    await stream.append({ n: 9 });
    expect(await run(stream, 1)).toEqual([9]);
  });

  test("what is no filter, id or cursor is refused before anything is done", async () => {
    const { stream } = await openMorgue(1);
    const group = stream.group("g");
    const refused = expect.objectContaining({ code: "INVALID_OPTION" }) as Error;
    await expect(group.discard({} as { all: true })).rejects.toEqual(refused);
    await expect(group.discard({ all: false } as unknown as { all: true })).rejects.toEqual(refused);
    await expect(group.discard({ all: true, ids: [] })).rejects.toEqual(refused);
    await expect(group.discard({ ids: "1-1" } as unknown as { ids: string[] })).rejects.toEqual(refused);
    await expect(group.discard({ ids: ["first"] })).rejects.toMatchObject({ code: "INVALID_ID" });
    await expect(group.redrive({ ids: undefined } as object)).rejects.toEqual(refused);
    await expect(group.redrive({ ids: ["1-1"], limit: 1 })).rejects.toEqual(refused);
    expect(() => group.deadLetters({ limit: 0 })).toThrow(refused);
    expect(() => group.deadLetters({ cursor: "first" })).toThrow(expect.objectContaining({ code: "INVALID_CURSOR" }) as Error);
    await expect(stream.group("none").deadLetters().next()).rejects.toMatchObject({ code: "UNKNOWN_GROUP" });
    expect((await group.status()).dead).toBe(1);
  });
});

test("letters that a version before has left in a list are taken over in their order", async () => {
  const stream = stage.keyline().stream<N>(`letters-${streams++}`);
  const { id } = await stream.append({ n: 0 });
  const consumer = stream.consume("g", () => undefined);
  await eventually("it is there", async () => (await stream.groups()).length === 1);
  await consumer.stop();
  const dead = `${stage.prefix}:{${stream.name}}:group:g:dead`;
  const old = [id, "5-0", "6-0"].map((one) => JSON.stringify({ id: one, data: '{"n":0}', reason: "Error: old", attempts: 2, at: 5 }));
  await stage.valkey.lpush(dead, ...old, "no letter");
  const group = stream.group("g");
  expect((await group.status()).dead).toBe(4);
  expect((await collected(group.deadLetters())).map((letter) => letter.id)).toEqual(["6-0", "5-0", id]);
  expect(await stage.valkey.lrange(dead, 0, -1)).toEqual(["no letter"]);
  expect(await group.discard({ ids: ["5-0"] })).toBe(1);
  expect(await group.redrive()).toBe(2);
});
