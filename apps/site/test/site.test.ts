import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import type { FastifyInstance } from "fastify";
import { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { registerGateway } from "../gateway.ts";
import { createSite } from "../site.ts";
import { Tokens } from "../tokens.ts";

let site: FastifyInstance;
let port: number;
let written = 0;
beforeAll(async () => {
  site = createSite({ logError: () => undefined });
  site.get("/api/:name", () => "read");
  site.post("/api/:name", () => `written ${++written}`);
  port = Number(new URL(await site.listen({ port: 0, host: "127.0.0.1" })).port);
});
afterAll(() => site.close());

function statusOf(method: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ port, host: "127.0.0.1", path: "/api/x", method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    outgoing.on("error", reject).end();
  });
}

describe("a site without a login is reached by its own names alone", () => {
  test.each(["localhost:3000", "LOCALHOST", "127.0.0.1", "127.0.0.1:8080", "[::1]:3000"])("%s is one", async (host) => {
    expect([await statusOf("GET", { host }), await statusOf("POST", { host })]).toEqual([200, 200]);
  });

  test.each([
    "evil.example",
    "evil.example:3000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "192.168.0.1",
    "localhost:80:80",
    "x@localhost",
  ])("%s is none, also where a page of that name asks: its name may have been made to resolve to this machine", async (host) => {
    const before = written;
    const page = { host, origin: `http://${host}`, "sec-fetch-site": "same-origin" };
    expect([await statusOf("GET", page), await statusOf("POST", page), await statusOf("POST", { host })]).toEqual([421, 421, 421]);
    expect(written).toBe(before);
  });
});

describe("a page of another site writes nothing", () => {
  test.each<[string, Record<string, string>, number]>([
    ["that says so", { "sec-fetch-site": "cross-site" }, 403],
    ["of a neighbour", { "sec-fetch-site": "same-site" }, 403],
    ["in an old browser", { origin: "http://evil.example" }, 403],
    ["without an origin", { origin: "null" }, 403],
    ["but its own does", { "sec-fetch-site": "same-origin", origin: "http://localhost" }, 200],
    ["but its own does in an old browser", { origin: "http://localhost" }, 200],
  ])("%s", async (_, headers, status) => {
    expect(await statusOf("POST", { host: "localhost", ...headers })).toBe(status);
  });
});

test("the gateway of a site refuses the same, and says the same", async () => {
  const errors: string[] = [];
  const logError = (message: string): void => void errors.push(message);
  const keyline = new Keyline({ valkey: inject("valkeyUrl"), prefix: `site-${process.pid}` });
  const own = createSite({ logError });
  const origins = ["http://localhost"];
  await registerGateway(own, { keyline, findExposure: () => undefined, tokens: new Tokens(), origins, logError });
  const ask = async (method: "GET" | "POST", headers: Record<string, string>): Promise<unknown> =>
    (await own.inject({ method, url: "/v1/channels/news/messages", headers })).json();
  expect(await ask("GET", { host: "evil.example" })).toMatchObject({ status: 421, code: "MISDIRECTED_REQUEST" });
  expect(await ask("POST", { host: "localhost", "sec-fetch-site": "cross-site" })).toMatchObject({
    status: 403,
    code: "CROSS_SITE_REQUEST",
  });
  expect(errors).toEqual([]);
  await own.close();
  await keyline.close();
});

describe("an answer that is an error has one shape, and does not say again what was asked", () => {
  const get = (path: string, ...lines: string[]): string => [`GET ${path} HTTP/1.1`, ...lines, "\r\n"].join("\r\n");
  const host = "Host: localhost";
  test.each([
    ["a name that is too long", get(`/api/${"marker".repeat(20)}`, host), 414],
    ["a path that is not encoded right", get("/api/marker%zz", host), 400],
    ["a path that is not there", get("/marker", host), 404],
    ["what is no HTTP", "marker\r\n\r\n", 400],
    ["headers that are too large", get("/", host, `X: ${"marker".repeat(5_000)}`), 431],
    ["no Host", get("/marker"), 421],
    ["an expectation", get("/", host, "Expect: marker"), 417],
  ])("%s", async (_, text, status) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    let answer = "";
    const whole = new Promise<void>((resolve) => {
      socket.on("data", (data) => {
        answer += data.toString();
        if (answer.endsWith("}")) resolve();
      });
    });
    socket.write(text);
    await whole;
    socket.destroy();
    expect(answer).toMatch(
      new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*content-type: application/problem\\+json[\\s\\S]*"status":${status}`, "i"),
    );
    expect(answer).toMatch(/x-content-type-options: nosniff/i);
    expect(answer).not.toContain("marker");
  });
});
