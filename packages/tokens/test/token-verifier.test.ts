import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, describe, expect, test } from "vitest";
import { TokenVerifier, type TokenOptions } from "../src/index.ts";

const secret = "a secret of the test, thirty-two bytes long";
const sign = (expiresAt: number, claims: object = {}): Promise<string> =>
  new SignJWT({ ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject("ada")
    .setExpirationTime(expiresAt)
    .sign(new TextEncoder().encode(secret));
const inAnHour = Math.floor(Date.now() / 1_000) + 3_600;

const servers: Server[] = [];
afterAll(() => servers.forEach((server) => server.close()));

async function serve(answer: () => { readonly status: number; readonly body: object }): Promise<URL> {
  const server = createServer((_request, response) => {
    const { status, body } = answer();
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys.json`);
}

describe("a token", () => {
  test("says what it says, where it is signed with the secret and has what is asked for", async () => {
    const verifier = new TokenVerifier({ secret }, ["exp", "sub"]);
    expect(await verifier.verify(await sign(inAnHour, { console: "viewer" }))).toMatchObject({ sub: "ada", console: "viewer" });
  });

  test.each([
    ["has ended", {}, inAnHour - 7_200, "TOKEN_EXPIRED"],
    ["is signed with another secret", { secret: "another secret, also thirty-two bytes long" }, inAnHour, "TOKEN_INVALID"],
    ["is for somebody else", { audience: "keyline" }, inAnHour, "TOKEN_INVALID"],
    ["is from somebody else", { issuer: "keyline" }, inAnHour, "TOKEN_INVALID"],
  ] as const)("that %s is refused", async (_what, options, expiresAt, code) => {
    const verifier = new TokenVerifier({ secret, ...options }, ["exp"]);
    await expect(verifier.verify(await sign(expiresAt))).rejects.toMatchObject({ name: "TokenError", code });
  });

  test("without a claim that is asked for is refused", async () => {
    await expect(new TokenVerifier({ secret }, ["iat"]).verify(await sign(inAnHour))).rejects.toMatchObject({ code: "TOKEN_INVALID" });
  });

  test("is checked with the keys of an address; keys that cannot be had are not its fault", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" }] };
    const text = await new SignJWT({}).setProtectedHeader({ alg: "ES256", kid: "one" }).setExpirationTime(inAnHour).sign(privateKey);
    const there = await serve(() => ({ status: 200, body: keys }));
    const away = await serve(() => ({ status: 500, body: {} }));
    const verifierOf = (jwks: URL): TokenVerifier => new TokenVerifier({ jwks, algorithms: ["ES256"] }, ["exp"]);
    expect(await verifierOf(there).verify(text)).toMatchObject({ exp: inAnHour });
    await expect(verifierOf(away).verify(text)).rejects.toMatchObject({ code: "KEYS_UNAVAILABLE" });
  });
});

test.each([
  ["no key", {}, "access needs one of secret, publicKey and jwks, not none of them"],
  ["two kinds of keys", { secret, jwks: { keys: [] } }, "access needs one of secret, publicKey and jwks, not secret and jwks"],
  ["a setting that is missing", { secret: undefined }, "access.secret is undefined"],
  ["a short secret", { secret: "short" }, "at least 32 bytes"],
  ["a public key without algorithms", { publicKey: "…" }, "must name the algorithms"],
  ["a secret with an algorithm of public keys", { secret, algorithms: ["RS256"] }, "does not go with a secret"],
])("options with %s are refused", (_what, options, message) => {
  expect(() => new TokenVerifier(options as unknown as TokenOptions, [])).toThrow(message);
});
