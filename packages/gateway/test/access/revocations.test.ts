import { startValkey } from "@keyline/embedded";
import { Keyline } from "keyline";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
let first: StandaloneGateway;
let second: StandaloneGateway;
beforeAll(async () => {
  stage = await openStage();
  first = await open();
  second = await open();
});
afterAll(async () => {
  await Promise.all([first.close(), second.close()]);
  await stage.close();
});

function open(): Promise<StandaloneGateway> {
  const keyline = stage.keyline();
  return openGateway({ keyline, channels: [{ channel: keyline.channel("private"), access: "token" }] });
}

const channels = { subscribe: ["private"], publish: ["private"] };
const urlAt = ({ url }: StandaloneGateway): string => `${url}/v1/channels/private/messages`;

async function expectRevoked(token: string, ...gateways: StandaloneGateway[]): Promise<void> {
  for (const gateway of gateways) {
    expect(await request(urlAt(gateway), { headers: bearer(token) })).toMatchObject({ status: 401, body: { code: "TOKEN_REVOKED" } });
  }
}

test("revoking a token ends its connections at every gateway within seconds, and no others", async () => {
  const token = await signToken({ jti: "one", channels });
  const other = await signToken({ jti: "two", channels });
  const streams = [await EventSourceReader.open(urlAt(first), bearer(token)), await EventSourceReader.open(urlAt(second), bearer(token))];
  const socket = await SocketReader.open(`${second.url}/v1/ws`, bearer(token));
  const bystander = await EventSourceReader.open(urlAt(second), bearer(other));
  const revokedAt = Date.now();
  await first.gateway.revoke({ jti: "one" });
  for (const stream of streams) {
    expect((await stream.receive("end"))[0]?.data).toEqual({ code: "TOKEN_REVOKED" });
    await stream.ended;
  }
  expect(await socket.closed).toBe(4403);
  expect(Date.now() - revokedAt).toBeLessThan(5_000);
  await expectRevoked(token, first, second);
  expect(bystander.response.closed).toBe(false);
  bystander.close();
});

test("revoking a subject voids every token it has, and none that it is given later", async () => {
  const now = Math.floor(Date.now() / 1_000);
  const token = await signToken({ sub: "eve", channels, iat: now - 5 });
  const stream = await EventSourceReader.open(urlAt(second), bearer(token));
  await first.gateway.revoke({ sub: "eve" });
  await stream.ended;
  await expectRevoked(token, first, second);
  const later = await signToken({ sub: "eve", channels, iat: now + 5 });
  const again = await EventSourceReader.open(urlAt(first), bearer(later));
  again.close();
});

test("a gateway that starts later knows what was revoked", async () => {
  const token = await signToken({ jti: "three", channels });
  await second.gateway.revoke({ jti: "three" });
  await second.close();
  second = await open();
  await expectRevoked(token, second);
});

test("a ticket of a token that is revoked meanwhile opens nothing", async () => {
  const token = await signToken({ jti: "four", channels });
  const { body } = await request(`${first.url}/v1/tickets`, { method: "POST", headers: bearer(token) });
  await first.gateway.revoke({ jti: "four" });
  expect(await request(`${urlAt(first)}?ticket=${String(body["ticket"])}`)).toMatchObject({ status: 401, body: { code: "TOKEN_REVOKED" } });
});

test("what Valkey has lost is written again by the gateways that know it, with the time at which it was revoked", async () => {
  const valkey = await startValkey();
  const keylines = [new Keyline({ valkey: valkey.url }), new Keyline({ valkey: valkey.url }), new Keyline({ valkey: valkey.url })];
  const openOn = (keyline: Keyline) => openGateway({ keyline, channels: [{ channel: keyline.channel("private"), access: "token" }] });
  const [one, other, late] = keylines as [Keyline, Keyline, Keyline];
  const gateways = [await openOn(one), await openOn(other)];
  onTestFinished(async () => {
    for (const gateway of gateways) await gateway.close();
    for (const keyline of keylines) await keyline.close();
    await valkey.stop();
  });
  const now = Math.floor(Date.now() / 1_000);
  const voided = await signToken({ jti: "lost", channels });
  const old = await signToken({ sub: "mallory", iat: now - 5, channels });
  await gateways[0]?.gateway.revoke({ jti: "lost" });
  await gateways[1]?.gateway.revoke({ sub: "mallory" });
  await expectRevoked(voided, ...gateways);
  const iat = Math.floor(Date.now() / 1_000) + 1;
  await eventually("the second has passed", () => Date.now() > iat * 1_000);
  const later = await signToken({ sub: "mallory", iat, channels });
  await valkey.restart();
  const kept = () =>
    one
      .channel("keyline:gateway:revocations")
      .history()
      .then(
        ({ messages }) => messages.length,
        () => 0,
      );
  await eventually("both are written again", async () => (await kept()) === 2);
  const third = await openOn(late);
  gateways.push(third);
  for (const token of [voided, old]) await expectRevoked(token, third);
  // Given to her after the revocation, which was not made anew.
  (await EventSourceReader.open(urlAt(third), bearer(later))).close();
  expect(await kept()).toBe(2);
});
