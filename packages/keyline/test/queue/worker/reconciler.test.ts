import { afterAll, beforeAll, expect, test } from "vitest";
import { HeldJob, HeldJobs } from "../../../src/queue/worker/held-jobs.ts";
import { createLease } from "../../../src/queue/worker/lease.ts";
import type { Lease } from "../../../src/work/lease.ts";
import type { Beat } from "../../../src/valkey/queue/leases.ts";
import { Reconciler, type Command, type Reading } from "../../../src/queue/worker/reconciler.ts";
import { silentLogger as logger } from "../../../src/runtime/logger.ts";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { QueueKeys } from "../../../src/valkey/queue/keys.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { QueueStore } from "../../../src/valkey/queue/queue-store.ts";
import { Doubt } from "../../../src/work/doubt.ts";
import type { Trade } from "../../../src/work/trade.ts";
import { gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const elementOf = (id: string): string => `{"id":"${id}","data":null}`;
const trade: Trade<HeldJob<null>> = {
  role: "worker",
  unit: "a job",
  place: "a queue of this test",
  fields: {},
  idOf: ({ element }) => element?.id,
  nameOf: ({ element }) => `job ${element?.id}`,
};
const jobOf = (id: string): HeldJob<null> => new HeldJob(elementOf(id));

async function withLease(
  queue: string,
  work: (parts: {
    readonly store: QueueStore;
    readonly lease: Lease<Beat>;
    readonly held: HeldJobs<null>;
    readonly doubt: Doubt<HeldJob<null>, Command>;
    readonly reconciler: Reconciler<null>;
  }) => Promise<void>,
): Promise<void> {
  const connection = new ValkeyConnection(toTarget(stage.valkeyUrl), { logger, silenceMs: 5_000 });
  const store = new QueueStore(connection, new QueueKeys(stage.prefix, queue));
  const began = gate();
  const held = new HeldJobs<null>();
  const lease = createLease(store, 2_000, {
    logger,
    events: { began: began.open, renewed: () => undefined, failed: () => undefined, lost: () => undefined },
  });
  lease.start();
  await began.opened;
  const doubt = new Doubt<HeldJob<null>, Command>(trade, logger);
  await work({ store, lease, held, doubt, reconciler: new Reconciler(held, { store, lease, doubt, logger }) });
  await lease.stop();
  connection.close();
}

test("tells what was taken by a lost command, what is to be handed in again, and what has ended", async () => {
  await withLease("r1", async ({ store, lease, held, doubt, reconciler }) => {
    const [running, again, ended] = [jobOf("running"), jobOf("again"), jobOf("ended")];
    held.join([running, again, ended]);
    held.leave([again, ended]);
    reconciler.doubtEnd(again, { kind: "settle" });
    reconciler.doubtEnd(ended, { kind: "settle" });
    doubt.raise();
    await stage.valkey.rpush(store.keys.held(lease.name), running.raw, again.raw, elementOf("unknown"));
    let reading: Reading<null> | undefined;
    await reconciler.read((found) => (reading = found));
    expect(reading?.found).toEqual([elementOf("unknown")]);
    expect([...(reading?.again.keys() ?? [])]).toEqual([again]);
    expect([...(reading?.ended.keys() ?? [])]).toEqual([ended]);
    expect(held.all()).toEqual([running, again]);
    expect(doubt.isDue).toBe(false);
    expect(reconciler.unsure).toBe(0);
  });
});

test("has nothing to tell of a lease that was lost while it read", async () => {
  await withLease("r2", async ({ held, doubt, reconciler }) => {
    const ended = jobOf("ended");
    held.join([ended]);
    held.leave([ended]);
    reconciler.doubtEnd(ended, { kind: "settle" });
    const readings: Reading<null>[] = [];
    const reading = reconciler.read((found) => readings.push(found));
    doubt.reset();
    expect(reconciler.reset()).toEqual([ended]);
    await reading;
    expect(readings).toEqual([]);
    expect(reconciler.unsure).toBe(0);
  });
});

test("gives up when its worker stops, also while Valkey is away", async () => {
  const connection = new ValkeyConnection(toTarget("valkey://127.0.0.1:1"), { logger, silenceMs: 5_000 });
  const store = new QueueStore(connection, new QueueKeys(stage.prefix, "r4"));
  const lease = createLease(store, 2_000, { logger, events: { began() {}, renewed() {}, failed() {}, lost() {} } });
  const doubt = new Doubt<HeldJob<null>, Command>(trade, logger);
  const readings: Reading<null>[] = [];
  const reading = new Reconciler(new HeldJobs<null>(), { store, lease, doubt, logger }).read((found) => readings.push(found));
  connection.close();
  doubt.stop();
  await reading;
  expect(readings).toEqual([]);
});
