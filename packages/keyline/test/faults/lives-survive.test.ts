import fc from "fast-check";
import { expect, test } from "vitest";
import { judge } from "./lives/judge.ts";
import { live } from "./lives/life.ts";
import { lives, type Op } from "./lives/operations.ts";
import { openSentinelServers, openServers } from "./lives/servers.ts";

// LIVES=20 has more of them, and SEED=... the same again.
const { LIVES = "2", SEED } = process.env;
const rules = { numRuns: Number(LIVES), endOnFailure: true, ...(SEED !== undefined && { seed: Number(SEED) }) };
// No unique key: it would hide what took effect twice.
const createTable = "CREATE TABLE lives (queue text, n integer, part text, value json, place bigserial)";

test("random lives on a transactional queue, with workers killed, Valkey flushed and failed over, PostgreSQL restarted: each step has its effects once, of a cancel and a settle one wins, and all are told the truth", async () => {
  const servers = await openSentinelServers();
  try {
    await servers.stage.pool.query(createTable);
    const arbitrary = lives({ transactional: true, faults: ["kill", "kill", "flush", "failover", "restart"] });
    await fc.assert(
      fc.asyncProperty(arbitrary, async (ops: Op[]) => {
        expect(judge(await live(ops, true, servers), true)).toEqual([]);
      }),
      rules,
    );
  } finally {
    await servers.close();
  }
}, 900_000);

test("random lives on a plain queue, with workers killed: whoever waits is told what became of the job, and what is cancelled before it begins never runs", async () => {
  const servers = await openServers();
  try {
    await fc.assert(
      fc.asyncProperty(lives({ transactional: false, faults: ["kill"] }), async (ops: Op[]) => {
        expect(judge(await live(ops, false, servers), false)).toEqual([]);
      }),
      rules,
    );
  } finally {
    await servers.close();
  }
}, 900_000);
