import fc from "fast-check";
import { expect, test } from "vitest";
import { judge } from "./lives/judge.ts";
import { live } from "./lives/life.ts";
import { lives, type Fault, type Op } from "./lives/operations.ts";
import { openSentinelServers, openServers, type LifeServers } from "./lives/servers.ts";

// LIVES=20 has more of them, and SEED=... the same again.
const { LIVES = "2", SEED } = process.env;
const rules = { numRuns: Number(LIVES), endOnFailure: true, ...(SEED !== undefined && { seed: Number(SEED) }) };
// No unique key: it would hide what took effect twice.
const createTable = "CREATE TABLE lives (queue text, n integer, part text, value json, place bigserial)";

/** Each of the faults strikes in every life. */
async function expectLives(
  servers: LifeServers,
  { transactional, faults }: { transactional: boolean; faults: readonly Fault[] },
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(lives({ transactional, faults }), async (ops: Op[]) => {
      const evidence = await live(ops, transactional, servers);
      expect(evidence.struck.toSorted()).toEqual(faults.toSorted());
      expect(judge(evidence, transactional)).toEqual([]);
    }),
    rules,
  );
}

test("random lives on a transactional queue, with workers killed, Valkey flushed and failed over, PostgreSQL restarted: each step has its effects once, of a cancel and a settle one wins, and all are told the truth", async () => {
  const servers = await openSentinelServers();
  try {
    await servers.stage.pool.query(createTable);
    await expectLives(servers, { transactional: true, faults: ["kill", "flush", "failover", "restart"] });
  } finally {
    await servers.close();
  }
}, 900_000);

test("random lives on a plain queue, with workers killed: whoever waits is told what became of the job, and what is cancelled before it begins never runs", async () => {
  const servers = await openServers();
  try {
    await expectLives(servers, { transactional: false, faults: ["kill", "kill"] });
  } finally {
    await servers.close();
  }
}, 900_000);
