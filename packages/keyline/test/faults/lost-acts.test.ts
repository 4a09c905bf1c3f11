import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import { KeylineError, type Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { actsOf, type Acts } from "../support/operator-acts.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";
import { startWireProxy, type WireProxy } from "../support/wire-proxy.ts";

let valkey: EmbeddedValkey;
let wire: WireProxy;
let stage: Stage;
beforeAll(async () => {
  valkey = await startValkey();
  wire = await startWireProxy({ target: { host: "127.0.0.1", port: Number(new URL(valkey.url).port) } });
  stage = await openStage({ valkeyUrl: valkey.url });
  await stage.keyline().migrate();
});
afterAll(async () => {
  await stage.close();
  await wire.stop();
  await valkey.stop();
});

/** With something of each kind on it, and nobody who works. */
async function openSite(transactional: boolean, name: string): Promise<{ readonly keyline: Keyline; readonly acts: Acts }> {
  const near = stage.keyline();
  const keyline = stage.keyline({ valkey: `valkey://127.0.0.1:${wire.port}`, ...(transactional ? {} : { postgres: undefined as never }) });
  const queueOf = (of: Keyline) =>
    transactional ? of.queue<number>(name, { transactional: true, maxAttempts: 1 }) : of.queue<number>(name, { maxAttempts: 1 });
  const streamOf = (of: Keyline) => (transactional ? of.stream<number>(name, { transactional: true }) : of.stream<number>(name));
  const fill = queueOf(near);
  const worker = fill.work(() => Promise.reject(new Error("it fails")));
  await fill.addMany(["d1", "d2", "d3"].map((id) => ({ id, data: 1 })));
  await eventually("three are dead", async () => (await fill.counts()).dead === 3);
  await worker.stop();
  const letters = streamOf(near);
  await letters.appendMany([1, 2, 3]);
  const consumer = letters.consume("g", () => Promise.reject(new Error("it fails")), { from: "-", maxAttempts: 1 });
  await eventually("three are dead", async () => (await letters.groups())[0]?.dead === 3);
  await consumer.stop();
  await fill.add(1, { id: "waits" });
  await fill.add(1, { id: "later", delay: 3_600_000 });
  await fill.schedule("nightly", { every: 86_400_000, data: 1 });
  const entry = transactional ? undefined : await keyline.audit.add({ who: "ann", action: "act", target: "queue:q" });
  const acts = actsOf(keyline, { name, transactional, entry });
  return { keyline, acts };
}

/** "done", or the code of its error; else what it was. */
async function endOf(act: () => Promise<unknown>): Promise<string> {
  return act().then(
    () => "done",
    (error: unknown) => (error instanceof KeylineError ? error.code : `no error of Keyline's: ${String(error)}`),
  );
}

const mostRequests = 12;
// What is asked for a second time, because the first one has done it.
const known = new Set(["done", "OUTCOME_UNKNOWN", "VALKEY_UNAVAILABLE", "UNKNOWN_GROUP", "UNKNOWN_SCHEDULE"]);

describe.each([{ transactional: false }, { transactional: true }])("acts whose answers get lost ($transactional)", ({ transactional }) => {
  test("end in Keyline's words, whichever of their answers it is, and can be done once more", async () => {
    const { keyline, acts } = await openSite(transactional, `each-${transactional}`);
    const ends = new Map<string, Set<string>>();
    for (const [name, act] of Object.entries(acts)) {
      const seen = new Set<string>();
      ends.set(name, seen);
      for (let nth = 0; nth < mostRequests; nth++) {
        await keyline.command("PING");
        const before = wire.swallowed;
        let passed = 0;
        wire.swallowReply(() => passed++ === nth);
        seen.add(await endOf(act));
        wire.passAll();
        await eventually("it is connected again", async () => (await endOf(() => keyline.command("PING"))) === "done");
        // It asks no more than that.
        if (wire.swallowed === before) break;
      }
      // What there was is done by now, or is done once more.
      expect(["done", "UNKNOWN_GROUP", "UNKNOWN_SCHEDULE"]).toContain(await endOf(act));
    }
    const odd = [...ends].flatMap(([name, seen]) => [...seen].filter((end) => !known.has(end)).map((end) => `${name}: ${end}`));
    expect(odd).toEqual([]);
    // What changes something does not say that nothing was done.
    for (const name of ["pause", "setLimits", "group.reset"]) expect([name, ends.get(name)?.has("OUTCOME_UNKNOWN")]).toEqual([name, true]);
  });

  test("end in Keyline's words while every answer gets lost, and do it when they come again", async () => {
    const { keyline, acts } = await openSite(transactional, `all-${transactional}`);
    await keyline.command("PING");
    const odd: string[] = [];
    for (const [name, act] of Object.entries(acts)) {
      wire.swallowReply((bytes) => !/hello|info|client/i.test(bytes.toString("latin1")), { times: 1_000 });
      const end = await endOf(act);
      if (end !== "done" && end !== "OUTCOME_UNKNOWN" && end !== "VALKEY_UNAVAILABLE") odd.push(`${name}: ${end}`);
      wire.passAll();
      await eventually("it is connected again", async () => (await endOf(() => keyline.command("PING"))) === "done");
    }
    expect(odd).toEqual([]);
    const again = new Map<string, string>();
    for (const [name, act] of Object.entries(acts)) again.set(name, await endOf(act));
    expect([...again].filter(([, end]) => end !== "done" && end !== "UNKNOWN_GROUP" && end !== "UNKNOWN_SCHEDULE")).toEqual([]);
  });
});

test("what somebody throws in onProgress goes on as it is", async () => {
  const keyline = stage.keyline({ postgres: undefined as never });
  const queue = keyline.queue<number>("own", { maxAttempts: 1 });
  const worker = queue.work(() => Promise.reject(new Error("it fails")));
  await queue.add(1);
  await eventually("it is dead", async () => (await queue.counts()).dead === 1);
  await worker.stop();
  const own = new Error("somebody pressed a key");
  const thrown = queue.redrive({
    all: true,
    onProgress: () => {
      throw own;
    },
  });
  await expect(thrown).rejects.toBe(own);
});
