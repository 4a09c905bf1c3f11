import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ReadOptions, Stream } from "../../src/index.ts";
import { openQuietStage, type Stage } from "../support/stage.ts";

let stage: Stage;
interface Event {
  readonly of: string;
  readonly n: number;
}
const streams: Record<string, Stream<Event>> = {};
beforeAll(async () => {
  stage = await openQuietStage();
  const keyline = stage.keyline();
  await keyline.migrate();
  const key = ({ of }: Event): string => of;
  streams["plain"] = keyline.stream<Event>("plain", { key });
  streams["transactional"] = keyline.stream<Event>("transactional", { key, transactional: true });
});
afterAll(() => stage.close());

describe.each(["plain", "transactional"])("the entries of one key of a %s stream", (kind) => {
  const stream = (): Stream<Event> => streams[kind] as Stream<Event>;
  const read = async (options: ReadOptions): Promise<number[]> => {
    const found: number[] = [];
    for await (const { data } of stream().read({ key: "b", ...options })) found.push(data.n);
    return found;
  };
  let ids: string[];
  beforeAll(async () => {
    const events = Array.from({ length: 900 }, (_, n) => ({ of: n % 9 === 0 ? "b" : `a${n % 3}`, n }));
    ids = (await stream().appendMany(events)).map(({ id }) => id);
  });
  const expected = Array.from({ length: 100 }, (_, n) => n * 9);

  test("come in order or backwards, whole or up to a limit", async () => {
    expect(await read({})).toEqual(expected);
    expect(await read({ reverse: true })).toEqual(expected.toReversed());
    expect(await read({ limit: 3 })).toEqual([0, 9, 18]);
    expect(await read({ limit: 3, reverse: true })).toEqual([891, 882, 873]);
    expect(await read({ key: "none" })).toEqual([]);
  });

  test("come from within a range, of which both ends are included", async () => {
    const [at90 = "", at99 = "", at100 = "", at180 = ""] = [90, 99, 100, 180].map((n) => ids[n]);
    expect(await read({ from: at90, to: at180 })).toEqual(expected.slice(10, 21));
    expect(await read({ from: at100, to: at180, reverse: true, limit: 2 })).toEqual([180, 171]);
    expect(await read({ from: at99, to: at99 })).toEqual([99]);
    expect(await read({ from: at100, to: at100 })).toEqual([]);
  });

  test("are looked for where entries have keys, and nowhere else", () => {
    expect(() => stage.keyline().stream("keyless").read({ key: "b" })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(() => stream().read({ key: "" })).toThrow(expect.objectContaining({ code: "INVALID_KEY" }));
  });
});

test("those that somebody deleted are passed over, and a page is filled with others", async () => {
  const plain = streams["plain"] as Stream<Event>;
  const entries = await plain.history("b");
  for (const { id } of entries.slice(1, 60)) await stage.valkey.xdel(`${stage.prefix}:{plain}:events`, id);
  const numbersOf = async (options: ReadOptions) => {
    const found: number[] = [];
    for await (const { data } of plain.read({ key: "b", ...options })) found.push(data.n);
    return found;
  };
  expect(await numbersOf({ limit: 3 })).toEqual([0, 540, 549]);
  expect((await numbersOf({ reverse: true })).slice(-2)).toEqual([540, 0]);
});

test("a page of large entries is not all that a page may have in number", async () => {
  const stream = stage.keyline().stream<string>("large");
  for (let n = 0; n < 100; n++) await stream.append("x".repeat(200_000));
  const before = bytesOf(await stage.valkey.info("stats"));
  let count = 0;
  for await (const { data } of stream.read()) if ((count += data.length) === 40 * 200_000) break;
  // 32 to learn how large they are, and a page of as many as make a mebibyte each, of which one may be read ahead.
  expect(bytesOf(await stage.valkey.info("stats")) - before).toBeLessThan(60 * 200_000);
});

function bytesOf(stats: string): number {
  return Number(/total_net_output_bytes:(\d+)/.exec(stats)?.[1]);
}
