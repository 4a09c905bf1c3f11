import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { generateKeyPair, exportSPKI, exportJWK, SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Keyline } from "keyline";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway, StandaloneOptions } from "../../src/index.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { bearer, openGateway, request, secret, signToken } from "../support/gateway.ts";

let stage: Stage;
let keyline: Keyline;
const opened: StandaloneGateway[] = [];
let gateway: StandaloneGateway;

beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  keyline.channel("private", { history: {} });
  gateway = await open();
});
afterAll(async () => {
  for (const each of opened) await each.close();
  await stage.close();
});

async function open(options: Partial<StandaloneOptions> = {}): Promise<StandaloneGateway> {
  const channels = [{ channel: keyline.channel("private"), access: "token" }] as const;
  const instance = await openGateway({ keyline, channels, limits: { requests: { max: 10_000, perMs: 60_000 } }, ...options });
  opened.push(instance);
  return instance;
}

const everything = { channels: { subscribe: ["*"], publish: ["*"] } };
const publishWith = (headers: Record<string, string>, at = gateway) =>
  request(`${at.url}/v1/channels/private/messages`, { body: { data: 1 }, headers });
const seconds = (offset: number): number => Math.floor(Date.now() / 1_000) + offset;

describe("a token is refused", () => {
  const unsigned = (): string => new UnsecuredJWT({ ...everything, sub: "ada" }).setExpirationTime("1m").encode();
  const tampered = async (): Promise<string> => {
    const [head, , signature] = (await signToken({})).split(".");
    const claims = Buffer.from(JSON.stringify({ sub: "ada", exp: seconds(60), ...everything })).toString("base64url");
    return `${head}.${claims}.${signature}`;
  };
  test.each<[string, () => string | Promise<string>, string]>([
    ["that nobody signed", unsigned, "TOKEN_INVALID"],
    ["whose claims were changed", tampered, "TOKEN_INVALID"],
    ["that was signed with another secret", () => signToken(everything, "another secret, which is as long as it must be"), "TOKEN_INVALID"],
    ["that has expired", () => signToken({ ...everything, exp: seconds(-1) }), "TOKEN_EXPIRED"],
    ["that lives for ever", async () => signEternal(), "TOKEN_INVALID"],
    ["that lives longer than a day", () => signToken({ ...everything, exp: seconds(90_000) }), "TOKEN_INVALID"],
    ["without a subject", async () => signWithoutSubject(), "TOKEN_INVALID"],
    ["that does not say when it was issued", () => signUndated(), "TOKEN_INVALID"],
    ["whose whole life is longer than a day", () => signToken({ ...everything, iat: seconds(-86_390) }), "TOKEN_INVALID"],
    ["that is issued in the future", () => signToken({ ...everything, iat: seconds(30) }), "TOKEN_INVALID"],
    ["whose claims have another form", () => signToken({ channels: { publish: "private" } }), "TOKEN_INVALID"],
    ["with an algorithm that is not listed", () => signHs512(), "TOKEN_INVALID"],
    ["that is none", () => "nonsense", "TOKEN_INVALID"],
  ])("%s", async (_, make, code) => {
    expect(await publishWith(bearer(await make()))).toMatchObject({ status: 401, body: { code } });
  });

  test("whose Authorization is of another kind", async () => {
    expect(await publishWith({ authorization: "Basic YTpi" })).toMatchObject({ status: 401, body: { code: "TOKEN_INVALID" } });
  });

  const key = new TextEncoder().encode(secret);
  const signEternal = (): Promise<string> => new SignJWT({ ...everything, sub: "ada" }).setProtectedHeader({ alg: "HS256" }).sign(key);
  const signWithoutSubject = (): Promise<string> =>
    new SignJWT(everything).setProtectedHeader({ alg: "HS256" }).setExpirationTime("1m").sign(key);
  const signUndated = (): Promise<string> =>
    new SignJWT({ ...everything, sub: "ada" }).setProtectedHeader({ alg: "HS256" }).setExpirationTime("1m").sign(key);
  const signHs512 = (): Promise<string> =>
    new SignJWT({ ...everything, sub: "ada" })
      .setProtectedHeader({ alg: "HS512" })
      .setExpirationTime("1m")
      .sign(new TextEncoder().encode(secret.repeat(2)));
});

describe("a name is allowed as it is written, and no other way", () => {
  test.each([
    ["private", true],
    ["priv*", true],
    ["*", true],
    ["Private", false],
    ["private.", false],
    ["privat", false],
    ["other", false],
  ])("%s: %s", async (name, isAllowed) => {
    const answer = await publishWith(bearer(await signToken({ channels: { publish: [name] } })));
    expect(answer.status).toBe(isAllowed ? 201 : 403);
  });

  test.each(["p*e", "pri?ate", "../private", "pri\u0000vate", "ｐrivate"])("%s is no pattern", async (name) => {
    expect((await publishWith(bearer(await signToken({ channels: { publish: [name] } })))).status).toBe(401);
  });
});

describe("a public key", () => {
  test("checks tokens of its algorithm; one that is signed with the key as a secret is refused", async () => {
    const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
    const pem = await exportSPKI(publicKey);
    const at = await open({ access: { publicKey: pem, algorithms: ["RS256"] } });
    const sign = (alg: string, key: Parameters<SignJWT["sign"]>[0]): Promise<string> =>
      new SignJWT({ ...everything, sub: "ada" }).setProtectedHeader({ alg }).setIssuedAt().setExpirationTime("1m").sign(key);
    expect((await publishWith(bearer(await sign("RS256", privateKey)), at)).status).toBe(201);
    expect((await publishWith(bearer(await sign("HS256", new TextEncoder().encode(pem))), at)).status).toBe(401);
  });

  test("can come from a key set, chosen by its id", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" }] };
    const at = await open({ access: { jwks, algorithms: ["ES256"] } });
    const sign = (kid: string): Promise<string> =>
      new SignJWT({ ...everything, sub: "ada" })
        .setProtectedHeader({ alg: "ES256", kid })
        .setIssuedAt()
        .setExpirationTime("1m")
        .sign(privateKey);
    expect((await publishWith(bearer(await sign("one")), at)).status).toBe(201);
    expect((await publishWith(bearer(await sign("two")), at)).status).toBe(401);
  });
});

describe("a key set at an address", () => {
  test("is fetched once; while it cannot be had, nobody is told that a token is bad", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" }] });
    let fetched = 0;
    const issuer = createServer((_request, response) => {
      fetched++;
      response.setHeader("content-type", "application/json").end(keys);
    });
    await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
    const jwks = new URL(`http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`);
    const at = await open({ access: { jwks, algorithms: ["ES256"] } });
    const token = await new SignJWT({ ...everything, sub: "ada" })
      .setProtectedHeader({ alg: "ES256", kid: "one" })
      .setIssuedAt()
      .setExpirationTime("1m")
      .sign(privateKey);
    for (let n = 0; n < 3; n++) expect((await publishWith(bearer(token), at)).status).toBe(201);
    expect(fetched).toBe(1);
    issuer.closeAllConnections();
    issuer.close();
    const later = await open({ access: { jwks, algorithms: ["ES256"] } });
    expect(await publishWith(bearer(token), later)).toMatchObject({ status: 503, body: { code: "KEYS_UNAVAILABLE" } });
  });
});

test("the audience is checked where one is configured", async () => {
  const at = await open({ access: { secret, audience: "keyline" } });
  expect((await publishWith(bearer(await signToken({ ...everything, aud: "keyline" })), at)).status).toBe(201);
  expect((await publishWith(bearer(await signToken({ ...everything, aud: "other" })), at)).status).toBe(401);
  expect((await publishWith(bearer(await signToken(everything)), at)).status).toBe(401);
});

test("algorithms that do not go with the key, and a secret that is too short, are refused at the start", async () => {
  await expect(open({ access: { secret: "short" } })).rejects.toThrow(/at least 32 bytes/);
  await expect(open({ access: { publicKey: "x", algorithms: ["HS256"] as never } })).rejects.toThrow(/does not go with/);
  const rsa = { publicKey: "x", algorithms: ["RS256"] } as const;
  await expect(open({ access: {} as never })).rejects.toThrow(/one of secret, publicKey and jwks, not none/);
  await expect(open({ access: { secret, ...rsa } as never })).rejects.toThrow(
    /one of secret, publicKey and jwks, not secret and publicKey/,
  );
  await expect(open({ access: { secret: undefined } as never })).rejects.toThrow(/access\.secret is undefined/);
  await expect(open({ access: { publicKey: "x" } as never })).rejects.toThrow(/access\.algorithms must name/);
});

test("a stream ends soon after its token has expired", async () => {
  const token = await signToken({ ...everything, exp: seconds(4) });
  const reader = await EventSourceReader.open(`${gateway.url}/v1/channels/private/messages`, bearer(token));
  const expiresAt = seconds(4) * 1_000;
  expect((await reader.receive("end"))[0]?.data).toEqual({ code: "TOKEN_EXPIRED" });
  await reader.ended;
  expect(Date.now() - expiresAt).toBeLessThan(5_000);
});
