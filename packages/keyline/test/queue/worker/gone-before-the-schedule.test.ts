import { Snooze } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf, through } from "../../support/wire-proxy.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const hour = 3_600_000;

// The row says when the job goes on; its worker is gone before Valkey knows, and the element of the attempt that is over comes back.
test.each([
  { how: "put itself off", thrown: () => new Snooze(hour), maxAttempts: 1, attempts: 0 },
  { how: "put itself off, and may be tried again", thrown: () => new Snooze(hour), maxAttempts: 3, attempts: 0 },
  { how: "failed", thrown: () => new Error("not yet"), maxAttempts: 3, attempts: 1 },
])("a job that $how rests for as long as its row says where its worker is gone before Valkey knows", async (how) => {
  const name = `gone ${how.how}`.replaceAll(/[^a-z]+/g, "-");
  const rules = {
    transactional: true,
    lease: 1_000,
    maxAttempts: how.maxAttempts,
    backoff: { type: "fixed", delay: hour, jitter: 0 },
  } as const;
  const proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
  const [gone, here] = [stage.keyline({ valkey: through(stage.valkeyUrl, proxy) }), stage.keyline()];
  const [lost, queue] = [gone.queue<number>(name, rules), here.queue<number>(name, rules)];
  const row = async (): Promise<unknown> =>
    (await stage.pool.query("SELECT state, attempts, due_at > now() AS rests FROM keyline.job WHERE queue = $1", [name])).rows[0];
  const begun: string[] = [];
  const victim = lost.work(() => {
    begun.push("victim");
    proxy.stallAll();
    throw how.thrown();
  });
  victim.on("error", () => undefined);
  const { id } = await queue.add(1);
  await eventually("its row has it", async () => JSON.stringify(await row())?.includes("true"));
  expect(begun).toEqual(["victim"]);
  const heir = queue.work(() => void begun.push("heir"));
  heir.on("error", () => undefined);
  const held = `${stage.prefix}:{${name}}:held:`;
  await eventually("what the victim held was returned", async () => {
    const lists = await stage.valkey.keys(`${held}*`);
    const left = (await queue.counts()).waiting;
    return lists.length === 0 && left === 0;
  });
  await eventually("it is on the schedule, once", async () => (await stage.valkey.zcard(`${stage.prefix}:{${name}}:scheduled`)) === 1);
  expect(begun).toEqual(["victim"]);
  expect(await row()).toEqual({ state: "scheduled", attempts: how.attempts, rests: true });
  expect(await queue.promote(id)).toBe(true);
  await eventually("it goes on", () => begun.includes("heir"));
  await eventually("it has ended", async () => (await row()) === undefined);
  expect(begun).toEqual(["victim", "heir"]);
  await heir.stop();
  await proxy.stop();
});
