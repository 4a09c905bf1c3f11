import { afterAll, beforeAll, expect, test } from "vitest";
import { silentLogger } from "../../../src/runtime/logger.ts";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { unlessAway } from "../../../src/valkey/client/unless-away.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, type WireProxy } from "../../support/wire-proxy.ts";

let stage: Stage;
let wire: WireProxy;
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
  wire = await startWireProxy({ target: { host: "127.0.0.1", port: Number(new URL(stage.valkeyUrl).port) } });
});
afterAll(async () => {
  await stage.close();
  await wire.stop();
});

/** As a handler that computes, and lets nothing else of its process go on. */
function compute(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

async function connect(url: string, silenceMs: number): Promise<{ readonly connection: ValkeyConnection; readonly losses: () => number }> {
  const connection = new ValkeyConnection(toTarget(url), { logger: silentLogger, silenceMs });
  let losses = 0;
  connection.onLost(() => losses++);
  await connection.ensureReady(5_000);
  return { connection, losses: () => losses };
}

test("answers that came while the process computed for longer than silence may last are heard", async () => {
  const { connection, losses } = await connect(stage.valkeyUrl, 200);
  for (let turn = 0; turn < 3; turn++) {
    const answers = [connection.client.ping(), connection.client.ping("again")];
    compute(500);
    expect(await Promise.all(answers)).toEqual(["PONG", "again"]);
  }
  expect(losses()).toBe(0);
  connection.close();
});

test("a server that says nothing for as long is given up, whatever the process did meanwhile", async () => {
  const { connection, losses } = await connect(`valkey://127.0.0.1:${wire.port}`, 200);
  wire.stallAll();
  const answer = connection.client.ping().catch((error: Error) => error);
  compute(500);
  expect(await answer).toBeInstanceOf(Error);
  wire.passAll();
  await eventually("it has connected anew", () => connection.isReady);
  expect(losses()).toBe(1);
  connection.close();
});

test("the time that an answer may take begins with its command, however long before something else was asked", async () => {
  const { connection, losses } = await connect(`valkey://127.0.0.1:${wire.port}`, 2_000);
  expect(await connection.client.ping()).toBe("PONG");
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const late = new Promise<void>((resolve) => setTimeout(resolve, 1_000));
  wire.holdRequest((request) => request.includes("late"), late);
  expect(await connection.client.ping("late")).toBe("late");
  expect(losses()).toBe(0);
  wire.passAll();
  // And no answer is waited for longer, on the next connection too.
  for (let turn = 1; turn <= 2; turn++) {
    wire.stallAll();
    await expect(connection.client.ping()).rejects.toThrow("");
    wire.passAll();
    await eventually("it has connected anew", () => connection.isReady);
    expect(losses()).toBe(turn);
  }
  connection.close();
}, 20_000);

test("an answer that came while the process computed is not one that came too late for who has another", async () => {
  const { connection } = await connect(stage.valkeyUrl, 5_000);
  const answer = unlessAway(connection, () => connection.client.ping());
  await Promise.resolve();
  compute(1_700);
  expect(await answer).toBe("PONG");
  connection.close();
});

test("who can do without a connection waits longer for the first connect, as long as nothing has gone wrong", async () => {
  const { promise: until, resolve: letGo } = Promise.withResolvers<void>();
  wire.holdRequest((request) => request.includes("HELLO"), until);
  const fresh = new ValkeyConnection(toTarget(`valkey://127.0.0.1:${wire.port}`), { logger: silentLogger, silenceMs: 5_000 });
  const ready = fresh.ensureReadySoon(20);
  await eventually("the greeting is held", () => wire.held > 0);
  await eventually("its time is over", () => fresh.leftOf(20) === 0);
  letGo();
  await ready;
  expect(fresh.isReady).toBe(true);
  wire.passAll();
  // One that was there is away when it is away.
  await wire.refuse(true);
  wire.cutAll();
  await eventually("it is lost", () => !fresh.isReady && fresh.leftOf(20) === 0);
  const begun = performance.now();
  await expect(fresh.ensureReadySoon(20)).rejects.toMatchObject({ code: "VALKEY_UNAVAILABLE" });
  expect(performance.now() - begun).toBeLessThan(2_000);
  fresh.close();
  await wire.refuse(false);
});

test("who begins where nobody listens does not wait for longer than others", async () => {
  await wire.refuse(true);
  const fresh = new ValkeyConnection(toTarget(`valkey://127.0.0.1:${wire.port}`), { logger: silentLogger, silenceMs: 5_000 });
  await expect(fresh.ensureReadySoon(300)).rejects.toMatchObject({ code: "VALKEY_UNAVAILABLE" });
  expect(fresh.leftOf(2_500)).toBeGreaterThan(0);
  fresh.close();
  await wire.refuse(false);
});
