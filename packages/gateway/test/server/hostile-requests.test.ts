import { connect } from "node:net";
import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Keyline } from "keyline";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";

let stage: Stage;
let keyline: Keyline;
let gateway: StandaloneGateway;
let url: string;
let headers: Record<string, string>;

beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  const channels = [{ channel: keyline.channel("news"), access: "public" }] as const;
  gateway = await openGateway({
    keyline,
    channels,
    origins: ["https://friend.example"],
    limits: { requests: { max: 10_000, perMs: 60_000 } },
  });
  url = `${gateway.url}/v1/channels/news/messages`;
  headers = bearer(await signToken({ channels: { publish: ["news"] } }));
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

const post = (body: unknown, more: Record<string, string> = {}) => request(url, { body, headers: { ...headers, ...more } });
const nested = (levels: number): string => `{"data":${"[".repeat(levels)}${"]".repeat(levels)}}`;

test("publishes what is in order", async () => {
  expect(await post({ data: { text: "hello" } })).toMatchObject({ status: 201, body: { id: expect.any(String), receivers: 0 } });
});

describe("a body", () => {
  test.each([
    ["that is no JSON", "{", 400, "INVALID_JSON"],
    ["that is empty", "", 400, "INVALID_JSON"],
    ["of 10,000 levels", nested(10_000), 400, "NESTED_TOO_DEEPLY"],
    ["of 65 levels", nested(64), 400, "NESTED_TOO_DEEPLY"],
    ["of 20,001 objects", `{"data":[${"{},".repeat(19_998)}[]]}`, 400, "TOO_MANY_OBJECTS"],
    ["with __proto__", '{"data":{"a":[{"__proto__":{"polluted":true}}]}}', 400, "FORBIDDEN_KEY"],
    ["with an escaped __proto__", '{"data":{"\\u005f_proto__":{"polluted":true}}}', 400, "FORBIDDEN_KEY"],
    ["with constructor.prototype", '{"data":{"constructor":{"prototype":{"polluted":true}}}}', 400, "FORBIDDEN_KEY"],
    ["that is one byte too large", `{"data":"${"x".repeat(262_144 - 10)}"}`, 413, "BODY_TOO_LARGE"],
  ])("%s is refused", async (_, body, status, code) => {
    expect(await post(body)).toMatchObject({ status, body: { code } });
  });

  test("that is taken can be merged without a thought: no prototype is reached", async () => {
    const merge = (target: Record<string, unknown>, source: object): void => {
      for (const [key, value] of Object.entries(source)) {
        if (typeof value === "object" && value !== null) merge((target[key] ??= {}) as Record<string, unknown>, value as object);
        else target[key] = value;
      }
    };
    const last = Promise.withResolvers<void>();
    const subscription = keyline.channel<object>("news").subscribe(({ data }) => {
      merge({}, data);
      if ("last" in data) last.resolve();
    });
    await subscription.ready;
    const polluting = [
      '{"__proto__":{"polluted":1}}',
      '{"a":{"constructor":{"prototype":{"polluted":1}}}}',
      '{"\\u005f_proto__":{"polluted":1}}',
    ];
    for (const text of [...polluting, '{"constructor":1,"prototype":{"polluted":1}}', '{"last":1}']) await post(`{"data":${text}}`);
    await last.promise;
    const { polluted } = {} as { readonly polluted?: unknown };
    Reflect.deleteProperty(Object.prototype, "polluted");
    await subscription.close();
    expect(polluted).toBeUndefined();
  });

  test("that is as large, and as deep, as it may be is taken", async () => {
    expect((await post(`{"data":"${"x".repeat(262_144 - 11)}"}`)).status).toBe(201);
    expect((await post(nested(63))).status).toBe(201);
    expect((await post(`{"data":[${"{},".repeat(19_997)}[]]}`)).status).toBe(201);
    // In a text, all of them are letters.
    expect((await post({ data: `${"[".repeat(100)}\\"${"{".repeat(30_000)}` })).status).toBe(201);
  });

  test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])("of the type %s is refused", async (type) => {
    expect(await post({ data: 1 }, { "content-type": type })).toMatchObject({ status: 415, body: { code: "UNSUPPORTED_MEDIA_TYPE" } });
  });

  test("in chunks without a length is cut off at the limit", async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = httpRequest(url, { method: "POST", headers: { ...headers, "content-type": "application/json" } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      outgoing.on("error", reject);
      outgoing.write('{"data":"');
      outgoing.write("x".repeat(300_000));
    });
    expect(status).toBe(413);
  });
});

test("a request with hundreds of headers is refused, one with as many as a browser and its proxies send is not", async () => {
  const statusWith = (count: number) => request(`${gateway.url}/healthz`, { headers: headersOf(count) }).then(({ status }) => status);
  const headersOf = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`x-${n}`, "1"]));
  expect([await statusWith(60), await statusWith(101), await statusWith(500)]).toEqual([200, 431, 431]);
});

describe("a page of another site", () => {
  test.each([
    ["says cross-site", { "sec-fetch-site": "cross-site" }],
    ["says same-site", { "sec-fetch-site": "same-site" }],
    ["is in an old browser, which only sends Origin", { origin: "https://evil.example" }],
    ["has no origin", { origin: "null" }],
    ["looks like a friend", { origin: "https://friend.example.evil.example", "sec-fetch-site": "cross-site" }],
  ])("may not post: it %s", async (_, from) => {
    expect(await post({ data: 1 }, from as Record<string, string>)).toMatchObject({ status: 403, body: { code: "CROSS_SITE_REQUEST" } });
  });

  test.each([
    ["the gateway's own page", { "sec-fetch-site": "same-origin" }],
    ["a program", {}],
    ["a page of an origin that is listed", { origin: "https://friend.example", "sec-fetch-site": "cross-site" }],
  ])("%s may", async (_, from) => {
    expect((await post({ data: 1 }, from as Record<string, string>)).status).toBe(201);
  });

  test("reads nothing unless its origin is listed, and never with credentials", async () => {
    const corsOf = async (origin: string) => {
      const response = await fetch(`${gateway.url}/healthz`, { headers: { origin } });
      return [response.headers.get("access-control-allow-origin"), response.headers.get("access-control-allow-credentials")];
    };
    expect(await corsOf("https://friend.example")).toEqual(["https://friend.example", null]);
    expect(await corsOf("https://evil.example")).toEqual([null, null]);
    expect(await corsOf("null")).toEqual([null, null]);
  });

  test("with a listed origin reads streams too", async () => {
    const abort = new AbortController();
    const response = await fetch(url, { headers: { origin: "https://friend.example" }, signal: abort.signal });
    expect(response.headers.get("access-control-allow-origin")).toBe("https://friend.example");
    abort.abort();
  });
});

describe("a connection on which several things are asked at once", () => {
  const stream = "GET /v1/channels/news/messages HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const plain = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

  /** What is answered, until the connection is quiet. */
  async function ask(...texts: string[]): Promise<{ readonly statuses: string[]; readonly isClosed: boolean }> {
    const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    let answer = "";
    let isClosed = false;
    socket.on("data", (data) => (answer += data.toString()));
    socket.on("close", () => (isClosed = true));
    for (const text of texts) {
      socket.write(text);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    socket.destroy();
    return { statuses: answer.match(/(?<=HTTP\/1\.1 )\d+/g) ?? [], isClosed };
  }

  test("gets no stream: every request is answered", async () => {
    expect(await ask(stream + plain)).toEqual({ statuses: ["400", "200"], isClosed: false });
    expect(await ask(stream + stream + plain)).toMatchObject({ statuses: ["400", expect.any(String), "200"] });
  });

  test("gets a stream behind an answer that is complete", async () => {
    expect(await ask(plain, stream)).toEqual({ statuses: ["200", "200"], isClosed: false });
  });

  test("is closed when something is asked behind a stream that has begun", async () => {
    expect(await ask(stream, plain + plain)).toEqual({ statuses: ["200"], isClosed: true });
  });

  test("leaves nothing behind", () => expect.poll(() => gateway.gateway.connections).toBe(0));
});

test("a path that does not exist is a problem, and so is a HEAD of a stream", async () => {
  expect(await request(`${gateway.url}/v1/nothing`)).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
  expect((await fetch(url, { method: "HEAD" })).status).toBe(404);
});
