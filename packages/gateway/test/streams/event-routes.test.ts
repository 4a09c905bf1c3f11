import { z } from "zod";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openQuietStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway, StreamExposure } from "../../src/index.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";

interface Review {
  readonly review: string;
  readonly n: number;
}

let stage: Stage;
let keyline: Keyline;
let gateway: StandaloneGateway;

beforeAll(async () => {
  stage = await openQuietStage();
  keyline = stage.keyline();
  await keyline.migrate();
  const keyed = {
    key: ({ review }: Review) => {
      if (review === "unlucky") throw new Error("could not ask db.internal");
      return review;
    },
  };
  const streams: StreamExposure[] = [
    { stream: keyline.stream<Review>("reviews", keyed), access: "public", append: "public" },
    { stream: keyline.stream<Review>("recorded", { ...keyed, transactional: true }), access: "public", append: "public" },
    { stream: keyline.stream("strict", { schema: z.object({ to: z.string() }) }), access: "public", append: "public" },
    { stream: keyline.stream("plain"), access: "public", append: "nobody" },
    { stream: keyline.stream("private"), access: "token" },
    { stream: keyline.stream<string>("large"), access: "public" },
    { stream: keyline.stream<string>("empty"), access: "public" },
    { stream: keyline.stream("foreign"), access: "public" },
  ];
  gateway = await openGateway({ keyline, streams, limits: { requests: { max: 10_000, perMs: 60_000 } } });
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

const urlOf = (stream: string, query = ""): string => `${gateway.url}/v1/streams/${stream}/events${query}`;
const append = (stream: string, body: unknown, headers: Record<string, string> = {}) => request(urlOf(stream), { body, headers });

interface Page {
  readonly entries: readonly { readonly id: string; readonly data: Review; readonly at: number; readonly key: string | null }[];
  readonly next: string | null;
}

async function read(stream: string, query = ""): Promise<Page> {
  const { status, body } = await request(urlOf(stream, query));
  expect(status).toBe(200);
  return body as unknown as Page;
}

const numbersIn = ({ entries }: Page): number[] => entries.map(({ data }) => data.n);

/** All pages of a query, one after the other. */
async function readAll(stream: string, query: string, bound: "from" | "to"): Promise<number[][]> {
  const pages: number[][] = [];
  for (let next: string | null = ""; next !== null;) {
    const page: Page = await read(stream, `?${query}${next === "" ? "" : `&${bound}=${next}`}`);
    pages.push(numbersIn(page));
    next = page.next;
  }
  return pages;
}

describe("appending", () => {
  test.each(["reviews", "recorded"])("answers with the id of the entry, on %s", async (stream) => {
    const { status, body } = await append(stream, { data: { review: "a", n: -1 } });
    expect([status, body]).toEqual([201, { id: expect.stringMatching(/^\d+-\d+$/), appended: true }]);
    const page = await read(stream, `?from=${String(body["id"])}`);
    expect(page).toEqual({ entries: [{ id: body["id"], data: { review: "a", n: -1 }, at: expect.any(Number), key: "a" }], next: null });
  });

  test.each(["reviews", "recorded"])(
    "with a known idempotency key appends nothing and answers with the first id, on %s",
    async (stream) => {
      const body = { data: { review: "once", n: 1 }, idempotencyKey: "once" };
      const first = await append(stream, body);
      expect(await append(stream, body)).toMatchObject({ status: 201, body: { id: first.body["id"], appended: false } });
      expect((await read(stream, "?key=once")).entries).toHaveLength(1);
    },
  );

  test.each([
    ["data that the schema rejects", "strict", { data: { to: 5 } }, 422, "VALIDATION_FAILED"],
    ["a body without data", "reviews", {}, 400, "INVALID_REQUEST"],
    ["a member that is none", "reviews", { data: { review: "a", n: 1 }, tx: {} }, 400, "INVALID_REQUEST"],
    ["an idempotency key that is none", "reviews", { data: { review: "a", n: 1 }, idempotencyKey: "" }, 400, "INVALID_REQUEST"],
    ["data that has no key", "reviews", { data: { n: 1 } }, 400, "INVALID_KEY"],
    ["a body that is too large", "reviews", { data: "x".repeat(300_000) }, 413, "BODY_TOO_LARGE"],
    ["a stream that nobody declared", "nowhere", { data: 1 }, 404, "UNKNOWN_STREAM"],
    ["a name that is the gateway's own", "keyline:x", { data: 1 }, 404, "UNKNOWN_STREAM"],
    ["what is no name", "a%20b", { data: 1 }, 400, "INVALID_NAME"],
    ["a stream that nobody appends to", "plain", { data: 1 }, 403, "FORBIDDEN"],
  ])("refuses %s", async (_, stream, body, status, code) => {
    const headers = bearer(await signToken({ streams: { append: ["nowhere", "keyline:*"] } }));
    expect(await append(stream, body, headers)).toMatchObject({ status, body: { code } });
  });

  test("keeps to itself what a key function throws", async () => {
    const { status, body } = await append("reviews", { data: { review: "unlucky", n: 1 } });
    expect({ status, code: body["code"] }).toEqual({ status: 400, code: "INVALID_KEY" });
    expect(JSON.stringify(body)).not.toContain("db.internal");
  });

  test("says which part of the data the schema rejects", async () => {
    expect((await append("strict", { data: { to: 5 } })).body["issues"]).toEqual([{ path: "to", message: expect.any(String) }]);
  });
});

/** Bytes that the server has sent to all its clients. */
async function sentByValkey(): Promise<number> {
  return Number(/total_net_output_bytes:(\d+)/.exec(await stage.valkey.info("stats"))?.[1]);
}

describe("reading", () => {
  let ids: string[];
  beforeAll(async () => {
    for (const stream of ["reviews", "recorded"]) {
      const events = Array.from({ length: 25 }, (_, n) => ({ review: n % 2 === 0 ? "even" : "odd", n }));
      for (const event of events) await append(stream, { data: event });
    }
    ids = (await read("reviews", "?reverse=true&limit=25")).entries.map(({ id }) => id).toReversed();
  });

  test("goes page by page, each entry once, oldest or newest first", async () => {
    const first = ids[0] ?? "";
    expect(await readAll("reviews", "limit=10&reverse=false", "from").then((pages) => pages.flat().slice(-25))).toEqual(
      Array.from({ length: 25 }, (_, n) => n),
    );
    const newestFirst = await readAll("reviews", `limit=10&reverse=true&from=${first}`, "to");
    expect(newestFirst.map((page) => page.length)).toEqual([10, 10, 5]);
    expect(newestFirst.flat()).toEqual(Array.from({ length: 25 }, (_, n) => 24 - n));
    const recorded = (await readAll("recorded", "limit=7", "from")).flat();
    expect(recorded.slice(-25)).toEqual(Array.from({ length: 25 }, (_, n) => n));
  });

  test("begins and ends where it is told: at ids, milliseconds and times", async () => {
    expect(numbersIn(await read("reviews", `?from=${ids[3]}&to=${ids[6]}`))).toEqual([3, 4, 5, 6]);
    const at = Number(ids[3]?.split("-")[0]);
    const iso = new Date(at).toISOString();
    for (const time of [at, iso, iso.replace("Z", "+00:00"), encodeURIComponent(iso.replace("Z", "+00:00"))]) {
      const { entries } = await read("reviews", `?from=${time}&to=${ids[3]}`);
      expect(entries.at(-1)?.id).toBe(ids[3]);
      expect(entries[0]?.at).toBe(at);
    }
    expect(await read("reviews", `?from=2100-01-01`)).toEqual({ entries: [], next: null });
    expect(await read("empty")).toEqual({ entries: [], next: null });
  });

  test("finds the entries of one key, oldest or newest first, within bounds", async () => {
    const odd = Array.from({ length: 12 }, (_, n) => 2 * n + 1);
    for (const stream of ["reviews", "recorded"]) {
      expect((await readAll(stream, "key=odd&limit=5", "from")).map((page) => page.length)).toEqual([5, 5, 2]);
      expect((await readAll(stream, "key=odd&limit=5", "from")).flat()).toEqual(odd);
      expect((await readAll(stream, "key=odd&limit=5&reverse=true", "to")).flat()).toEqual(odd.toReversed());
    }
    expect(numbersIn(await read("reviews", `?key=odd&from=${ids[4]}&to=${ids[9]?.split("-")[0]}`))).toEqual([5, 7, 9]);
    expect(await read("reviews", "?key=none")).toEqual({ entries: [], next: null });
  });

  test("gives a hundred entries where nobody says how many", async () => {
    const appended = await keyline.stream<string>("empty").appendMany(Array.from({ length: 101 }, String));
    const { entries, next } = await read("empty");
    expect([entries.length, next]).toEqual([100, appended.at(-1)?.id]);
    expect((await read("empty", "?limit=1000")).entries).toHaveLength(101);
  });

  test("ends a page early that would be too large for one answer, and goes on behind it", async () => {
    const stream = keyline.stream<string>("large");
    for (let n = 0; n < 12; n++) await stream.append("x".repeat(600_000));
    const first = await read("large");
    expect(first.entries.length).toBeLessThan(10);
    let count = first.entries.length;
    for (let next = first.next; next !== null;) {
      const page = await read("large", `?from=${next}`);
      count += page.entries.length;
      next = page.next;
    }
    expect(count).toBe(12);
  });

  test.each(["?key=big&limit=5", "?key=big&limit=5&from=0", "?key=big&limit=5&reverse=true&to=9999999999999"])(
    "reads no more than it answers with: %s",
    async (query) => {
      const stream = keyline.stream<Review>("reviews");
      if ((await stream.history("big", { limit: 1 })).length === 0) {
        for (let n = 0; n < 40; n++) await stream.append({ review: "big", n, text: "x".repeat(200_000) } as Review);
      }
      const before = await sentByValkey();
      expect((await read("reviews", query)).entries).toHaveLength(5);
      expect((await sentByValkey()) - before).toBeLessThan(10 * 200_000);
    },
  );

  test("has entries whose ids somebody else made of microseconds, or are the last there can be", async () => {
    const key = `${stage.prefix}:{foreign}:events`;
    const last = "18446744073709551615-18446744073709551615";
    const ids = ["1700000000000000-0", "1700000000000000-1", last];
    for (const [index, id] of ids.entries()) await stage.valkey.xadd(key, id, "data", `{"n":${index}}`);
    expect((await read("foreign")).entries.map(({ id }) => id)).toEqual(ids);
    expect(numbersIn(await read("foreign", "?from=1700000000000000-1"))).toEqual([1, 2]);
    expect(numbersIn(await read("foreign", "?to=1700000000000000"))).toEqual([0, 1]);
    expect(await readAll("foreign", "limit=1", "from")).toEqual([[0], [1], [2]]);
    expect(await readAll("foreign", "limit=1&reverse=true", "to")).toEqual([[2], [1], [0]]);
    expect(numbersIn(await read("foreign", `?from=${last}`))).toEqual([2]);
  });

  test.each([
    ["an id that is none", "?from=abc", "INVALID_ID"],
    ["an id with a number of more than 64 bits", "?from=1-18446744073709551616", "INVALID_ID"],
    ["a time without its zone", "?to=2026-01-31T12:00:00", "INVALID_ID"],
    ["a time that there is not", "?to=2026-13-31", "INVALID_ID"],
    ["a time before 1970", "?to=1969-01-31", "INVALID_ID"],
    ["more than fits into an id", "?from=18446744073709551616", "INVALID_ID"],
    ["a number of more than 64 bits in front", "?from=18446744073709551616-0", "INVALID_ID"],
    ["three numbers", "?from=1-2-3", "INVALID_ID"],
    ["a line break behind an id", "?from=1-0%0A", "INVALID_ID"],
    ["a limit above a thousand", "?limit=1001", "INVALID_REQUEST"],
    ["a limit of none", "?limit=0", "INVALID_REQUEST"],
    ["a limit that is no number", "?limit=x", "INVALID_REQUEST"],
    ["an order that is none", "?reverse=1", "INVALID_REQUEST"],
    ["a bound that comes twice", "?from=1-0&from=2-0", "INVALID_REQUEST"],
    ["an empty key", "?key=", "INVALID_REQUEST"],
  ])("refuses %s", async (_, query, code) => {
    expect(await request(urlOf("reviews", query))).toMatchObject({ status: 400, body: { code } });
  });

  test("refuses a key where entries have none", async () => {
    expect(await request(urlOf("plain", "?key=a"))).toMatchObject({ status: 400, body: { code: "INVALID_OPTION" } });
    const events = { headers: { accept: "text/event-stream" } };
    expect(await request(urlOf("plain", "?key=a"), events)).toMatchObject({ status: 400, body: { code: "INVALID_OPTION" } });
  });
});

describe("rights", () => {
  test.each([
    ["nobody without a token", undefined, [401, 401]],
    ["a token for another stream", { streams: { read: ["other"], append: ["other"] } }, [403, 403]],
    ["a token for a channel of that name", { channels: { subscribe: ["private"], publish: ["private"] } }, [403, 403]],
    ["a token to read", { streams: { read: ["priv*"] } }, [200, 403]],
    ["a token to append", { streams: { append: ["private"] } }, [403, 201]],
  ])("%s", async (_, claims, [reading, appending]) => {
    const headers = claims ? bearer(await signToken(claims)) : {};
    expect((await request(urlOf("private"), { headers })).status).toBe(reading);
    expect((await append("private", { data: 1 }, headers)).status).toBe(appending);
    if (reading !== 200) {
      expect((await request(urlOf("private"), { headers: { ...headers, accept: "text/event-stream" } })).status).toBe(reading);
    }
  });

  test("streams that are made while the gateway runs are found by the application's function, but not the gateway's own names", async () => {
    const asked: string[] = [];
    const streams = async (name: string): Promise<StreamExposure | undefined> => {
      asked.push(name);
      return name === "late" ? { stream: keyline.stream("late"), access: "public" } : undefined;
    };
    const other = await openGateway({ keyline, streams });
    onTestFinished(() => other.close());
    const headers = bearer(await signToken({ streams: { read: ["*"] } }));
    const statusOf = async (name: string) => (await request(`${other.url}/v1/streams/${name}/events`, { headers })).status;
    expect([await statusOf("late"), await statusOf("never"), await statusOf("keyline:own")]).toEqual([200, 404, 404]);
    expect(asked).toEqual(["late", "never"]);
  });
});
