import type { FaultKind } from "./plan.ts";

interface Edit {
  /** Stands in one place of all the sources. */
  readonly find: string;
  readonly replace: string;
  /** It stands in several: migrations make a function anew. */
  readonly isEverywhere?: boolean;
}

/** A bug that somebody has had, as a change of the sources, and the faults under which it shows. */
export interface Mutant {
  readonly name: string;
  readonly what: string;
  readonly faults: readonly FaultKind[];
  /** The invariants that it breaks: to be found by another one is not to be found. */
  readonly rules: readonly string[];
  /** Runs of half a minute within which it has to be found. */
  readonly seeds: number;
  readonly edits: readonly Edit[];
}

/** No bug at all: what is planted proves nothing where the same runs fail without it. */
export const control: Mutant = {
  name: "control",
  what: "the sources as they are",
  faults: ["kill", "stop", "flush", "restart-postgres", "swallow", "cut-before", "restore-older"],
  rules: [],
  seeds: 1,
  edits: [],
};

export const mutants: readonly Mutant[] = [
  {
    name: "rpop-instead-of-lmove",
    what: "a job is taken out of the queue before it is in anybody's list",
    faults: ["kill"],
    rules: ["I1", "I6"],
    seeds: 3,
    edits: [
      {
        find: "taken = { redis.call('LMOVE', KEYS[3], held, 'RIGHT', 'RIGHT') or nil }",
        replace: "taken = { redis.call('RPOP', KEYS[3]) or nil }",
      },
      { find: "redis.call('RPUSH', held, unpack(taken))", replace: "" },
      {
        find: `connection.client.blmove(this.#keys.waiting, this.#keys.held(worker), "RIGHT", "RIGHT", seconds)`,
        replace: "connection.client.brpop(this.#keys.waiting, seconds).then((found) => found?.[1] ?? null)",
      },
    ],
  },
  {
    name: "lrem-before-commit",
    what: "the element leaves the held list before the settle is committed",
    faults: ["kill", "restart-postgres"],
    rules: ["I1", "I6"],
    seeds: 6,
    edits: [
      {
        find: "const settled = await this.#lanes.settle(settlement);",
        replace: `const { connection, keys } = this.#store;
    for (const worker of await connection.client.zrange(keys.workers, 0, -1)) {
      for (const raw of await connection.client.lrange(keys.held(worker), 0, -1)) {
        if (settlement.rows.some(({ id }) => raw.includes(id))) await connection.client.lrem(keys.held(worker), 1, raw);
      }
    }
    const settled = await this.#lanes.settle(settlement);`,
      },
    ],
  },
  {
    name: "settle-without-token",
    what: "an attempt that was overtaken may settle all the same",
    faults: ["stop"],
    rules: ["I4"],
    seeds: 5,
    edits: [
      { find: "if (!held[0]?.attempt?.abortReason) await access.confirmLease();", replace: "" },
      { find: `else if (attempt && phase !== "running") lost.set(one, leaseLost(attempt));`, replace: "" },
      { find: "unit.attempt?.abort(error);", replace: "" },
      {
        find: "SELECT CASE WHEN held >= 0 THEN attempts <= held ELSE is_changed IS NULL AND attempts <= -1 - held END",
        replace: "SELECT true",
      },
    ],
  },
  {
    name: "sweep-without-state-guard",
    what: "jobs of workers that live are given to others",
    faults: ["kill"],
    rules: ["calm"],
    seeds: 2,
    edits: [
      {
        find: "redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)",
        replace: "redis.call('ZRANGE', KEYS[1], '-inf', '(' .. (now + ARGV[2]), 'BYSCORE', 'LIMIT', 0, 1)",
      },
      {
        find: "if not lease_end or tonumber(lease_end) > now() then return 0 end",
        replace: "if not lease_end then return 0 end",
      },
    ],
  },
  {
    name: "outbox-cursor",
    what: "the relay looks only for rows above the last one that it delivered",
    faults: ["kill", "refuse"],
    rules: ["I1", "I6"],
    seeds: 3,
    edits: [
      {
        find: "rebuilt_epoch text NOT NULL DEFAULT ''",
        replace: "rebuilt_epoch text NOT NULL DEFAULT '', last_seq bigint NOT NULL DEFAULT 0",
      },
      {
        find: "SELECT id FROM keyline.job WHERE queue = name AND delivered_to IS NULL",
        replace: `SELECT id FROM keyline.job
        WHERE queue = name AND seq > coalesce((SELECT last_seq FROM keyline.queue AS q WHERE q.name = names.name), 0) AND delivered_to IS NULL`,
      },
      {
        find: "const values = [table.queue, epoch, joinIds(jobs.map(({ id }) => id))];",
        replace: `const values = [table.queue, epoch, joinIds(jobs.map(({ id }) => id))];
        await client.query(
          "UPDATE keyline.queue SET last_seq = greatest(last_seq, (SELECT max(seq) FROM keyline.job WHERE queue = $1 AND id = ANY ($2::text[]))) WHERE name = $1",
          [table.queue, jobs.map(({ id }) => id)],
        );`,
      },
    ],
  },
  {
    name: "ack-before-commit",
    what: "a transaction is acknowledged while its COMMIT is under way",
    faults: ["cut-before", "restart-postgres", "end-sessions", "cut"],
    rules: ["I1", "I3"],
    seeds: 5,
    edits: [
      {
        find: "isClean = await commit(database, client, transactionIds.get(client));",
        replace: "void commit(database, client, transactionIds.get(client)).catch(() => undefined);\n    isClean = true;",
      },
    ],
  },
  {
    name: "no-rebuild",
    what: "nobody delivers again what a flushed Valkey has lost",
    faults: ["flush", "wipe-valkey"],
    rules: ["I1", "I6"],
    seeds: 2,
    edits: [
      {
        find: "if (this.#rebuiltEpochs.get(queue) !== epoch) this.#toRebuild.set(outlet, epoch);",
        replace: "await outlet.table.charge.take(epoch, (await outlet.table.charge.read())?.epoch);",
      },
    ],
  },
  {
    name: "blind-recommit",
    what: "COMMIT is sent once more on another connection, and that answer is believed",
    faults: ["cut-before", "restart-postgres"],
    rules: ["I1", "I3"],
    seeds: 4,
    edits: [
      {
        find: "await findOut(database, { client, xid, cause: explained });",
        replace: `await database.whenAvailable();
    const other = await database.connect();
    await other.query("COMMIT");
    other.release();`,
      },
    ],
  },
  {
    name: "sweep-without-paging",
    what: "of a dead worker's jobs only the first page is rescued, which is one job",
    faults: ["kill"],
    rules: ["I1", "I6"],
    seeds: 4,
    edits: [
      { find: ".returnHeld(worker, page, reason);", replace: ".returnHeld(worker, 1, reason);" },
      { find: "({ left } = answer);", replace: "left = 0;" },
      { find: "if answer[1] == 0 then", replace: "do" },
      { find: "redis.call('ZADD', KEYS[2], now(), ARGV[1])", replace: "" },
    ],
  },
  {
    name: "ignores-own-list",
    what: "a worker does not look at what it holds after its connection broke",
    faults: ["swallow", "cut", "half-open", "freeze-valkey"],
    rules: ["I1", "I6"],
    seeds: 4,
    edits: [{ find: "return { found: unknown, again, ended };", replace: "return { found: [], again: new Map(), ended };" }],
  },
  {
    name: "steps-forgotten",
    what: "the effects of a step are committed, and that it was done is not remembered",
    faults: ["kill"],
    rules: ["I2"],
    seeds: 1,
    edits: [{ find: "await client.query(this.database.prepared(keep, values));", replace: "" }],
  },
  {
    name: "cancel-without-row",
    what: "a cancel looks for the job on Valkey, and leaves its row as it is",
    faults: ["kill"],
    rules: ["I4"],
    seeds: 2,
    edits: [
      {
        find: "const found = await rows.cancel(ids);",
        replace: `const found = new Map<string, "waiting" | "dead" | "cancelled">(ids.map((id) => [id, "waiting"]));`,
      },
    ],
  },
  {
    name: "parent-too-early",
    what: "a parent goes when one of its children has ended, and not the last",
    faults: ["kill"],
    rules: ["I4"],
    seeds: 1,
    edits: [
      {
        find: "RETURN keyline.last_open_child(of_family) IS NOT NULL;",
        replace: "RETURN false;",
      },
    ],
  },
  {
    name: "children-without-values",
    what: "a child has ended, and what it came to is not kept for its parent",
    faults: ["kill"],
    rules: ["I4"],
    seeds: 1,
    edits: [
      {
        find: "AND family_child.xmin::text = (pg_current_xact_id()",
        replace: "AND false AND family_child.xmin::text = (pg_current_xact_id()",
      },
    ],
  },
  {
    name: "plain-children-without-values",
    what: "a child of a plain queue has ended, and what it came to does not go to its parent",
    faults: ["kill"],
    rules: ["I4"],
    seeds: 1,
    edits: [{ find: '`,"value":${result.json}`', replace: '""' }],
  },
];
