import { generateKeyPairSync } from "node:crypto";
import { request as httpRequest } from "node:http";
import { SignJWT } from "jose";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { createConsole } from "../../src/index.ts";
import { openConsole, signToken, type ConsoleServer } from "../support/console-server.ts";

let stage: Stage;
let keyline: Keyline;
let console: ConsoleServer;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  console = await openConsole({ keyline });
});
afterAll(async () => {
  await console.close();
  await stage.close();
});

test("asks for a token with a role, and says nothing to anybody else", async () => {
  const tokens = {
    none: [undefined, 401, "TOKEN_REQUIRED"],
    "another key's": [await signToken({ console: "operator" }, "another secret that is also long enough"), 401, "TOKEN_INVALID"],
    ended: [await signToken({ console: "operator", exp: 1 }), 401, "TOKEN_EXPIRED"],
    "without an end": [
      await new SignJWT({ sub: "a", console: "operator" })
        .setProtectedHeader({ alg: "HS256" })
        .sign(Buffer.from("a secret of the tests, which is long enough")),
      401,
      "TOKEN_INVALID",
    ],
    "without a role": [await signToken({}), 403, "NO_ROLE"],
    "with another role": [await signToken({ console: "admin" }), 403, "NO_ROLE"],
  } as const;
  for (const [what, [token, status, code]] of Object.entries(tokens)) {
    const answer = await fetch(`${console.url}/api/overview`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status, what).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(await answer.json(), what).toMatchObject({ status, code });
  }
  for (const address of ["queues/x", "nothing/here"]) expect((await fetch(`${console.url}/api/${address}`)).status).toBe(401);
});

test("says who somebody is, and what is hidden", async () => {
  const { status, body, headers } = await console.get("api/me");
  expect(status).toBe(200);
  expect(headers.get("cache-control")).toBe("no-store");
  expect(body).toMatchObject({ role: "operator", who: "ada", title: "Keyline", hasPostgres: true });
  expect(body.redacted).toContain("password");
  expect(body.expiresAt).toBeGreaterThan(Date.now());
  const viewer = await signToken({ console: "viewer", sub: "bob" });
  expect((await console.get("api/me", { token: viewer })).body).toMatchObject({ role: "viewer", who: "bob" });
});

test("viewers look, and only operators act", async () => {
  const queue = keyline.queue("watched");
  await queue.add(1);
  const token = await signToken({ console: "viewer" });
  expect((await console.get("api/queues/watched", { token })).status).toBe(200);
  const refused = await console.post("api/queues/watched/pause", {}, { token });
  expect(refused).toMatchObject({ status: 403, body: { code: "VIEWER" } });
  expect(await queue.counts()).toMatchObject({ paused: false });
});

test("refuses what other sites' pages send, and what is no JSON", async () => {
  const { host } = new URL(console.url);
  const sent: [Record<string, string>, number][] = [
    [{ origin: "https://evil.example" }, 403],
    [{ "sec-fetch-site": "cross-site" }, 403],
    [{ "sec-fetch-site": "same-site" }, 403],
    [{ origin: "null" }, 403],
    [{ origin: `http://${host}`, "sec-fetch-site": "same-origin" }, 200],
    [{}, 200],
    [{ "content-type": "text/plain" }, 415],
  ];
  for (const [headers, status] of sent) {
    const answer = await console.post("api/queues/watched/resume", {}, { headers });
    expect(answer.status, JSON.stringify(headers)).toBe(status);
  }
});

test("lets in nobody but this machine where no token is asked for, and only by its own name", async () => {
  const open = await openConsole({ keyline, access: "loopback" });
  const ask = (headers: Record<string, string>): Promise<number> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(`${open.url}/api/me`, { headers }, (answer) => resolve(answer.resume().statusCode ?? 0));
      request.on("error", reject).end();
    });
  expect(await ask({})).toBe(200);
  expect(await ask({ host: "localhost:1234" })).toBe(200);
  expect(await ask({ host: "[::1]:1234" })).toBe(200);
  // A page of another site, whose name resolves to this machine.
  expect(await ask({ host: "evil.example" })).toBe(421);
  expect(await ask({ host: "127.0.0.1.evil.example" })).toBe(421);
  // A proxy on this machine that hands on what others ask.
  for (const header of ["x-forwarded-for", "forwarded", "x-real-ip", "via"]) expect(await ask({ [header]: "8.8.8.8" }), header).toBe(403);
  expect((await open.get("api/me")).body).toMatchObject({ role: "operator", who: "loopback", expiresAt: null });
  const { console: handler } = open;
  for (const remoteAddress of ["10.0.0.1", "8.8.8.8", "::ffff:10.0.0.1", undefined]) {
    expect((await handler.fetch(new Request("http://localhost/console/api/me"), { remoteAddress })).status, remoteAddress).toBe(403);
    expect((await handler.fetch(new Request("http://localhost/console"), { remoteAddress })).status, remoteAddress).toBe(403);
  }
  await open.close();
});

test("takes tokens that a public key signed, and those of a key set", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const token = await new SignJWT({ sub: "ada", console: "viewer", aud: "console" })
    .setProtectedHeader({ alg: "ES256", kid: "one" })
    .setExpirationTime("1m")
    .sign(privateKey);
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "one", alg: "ES256" } as const;
  const algorithms = ["ES256"] as const;
  for (const access of [
    { publicKey, algorithms },
    { jwks: { keys: [jwk] }, algorithms, audience: "console" },
  ]) {
    const open = await openConsole({ keyline, access });
    expect((await open.get("api/me", { token })).body).toMatchObject({ who: "ada", role: "viewer" });
    await open.close();
  }
  const other = await openConsole({ keyline, access: { publicKey, algorithms, audience: "another" } });
  expect((await other.get("api/me", { token })).status).toBe(401);
  await other.close();
});

test("refuses options with which nobody could be told from anybody", () => {
  const make = (access: object): unknown => createConsole({ keyline, access: access as unknown as "loopback" });
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  expect(() => make({})).toThrow("access needs one of");
  expect(() => make({ secret: undefined })).toThrow("is undefined");
  expect(() => make({ secret: "short" })).toThrow("32 bytes");
  expect(() => make({ publicKey })).toThrow("algorithms");
  expect(() => make({ publicKey, algorithms: ["HS256"] })).toThrow("does not go with");
  expect(() => make(undefined as never)).toThrow("access");
});
