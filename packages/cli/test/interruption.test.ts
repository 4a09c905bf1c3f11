import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Queue } from "keyline";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ended, hasTerminals, objects, plain, printed, start, startOnTerminal } from "./support/command.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

async function withLetters(name: string, count: number): Promise<Queue<number, number, true>> {
  const queue = shop.app.queue<number>(name, { transactional: true, maxAttempts: 1 });
  const worker = queue.workBatch(
    () => {
      throw new Error("no mail today");
    },
    { size: 500 },
  );
  let dead = 0;
  const all = new Promise<void>((resolve) => worker.on("dead", () => void (++dead === count && resolve())));
  await queue.addMany(Array.from({ length: count }, (_, n) => ({ data: n })));
  await all;
  await worker.stop();
  await shop.known();
  return queue;
}

/** Sends a signal, and resolves when the process has done what it does at it and waits again: what it waits for may come then. */
async function signal(child: ChildProcess, name: NodeJS.Signals): Promise<void> {
  child.kill(name);
  const status = (): string => readFileSync(`/proc/${child.pid}/status`, "utf8");
  await expect.poll(status, { timeout: 60_000 }).toMatch(/^State:\tS[^]*^ShdPnd:\t0+$/m);
}

/** Whoever removes this row or changes its state from now on waits, until it is let go: so there is a page that is under way for as long as one likes. */
async function holdRow(queue: string, n: number): Promise<{ isWaitedFor(): Promise<void>; letGo(): Promise<void> }> {
  const holder = await shop.pool.connect();
  await holder.query(`
    SELECT pg_advisory_lock(hashtext('${queue}'));
    CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN
        IF TG_OP = 'DELETE' OR NEW.state <> OLD.state THEN PERFORM pg_advisory_xact_lock(hashtext(OLD.queue)); END IF;
        RETURN coalesce(NEW, OLD);
      END $$;
    CREATE TRIGGER "hold_${queue}" BEFORE UPDATE OR DELETE ON keyline.job FOR EACH ROW
      WHEN (OLD.queue = '${queue}' AND OLD.data::text = '${n}') EXECUTE FUNCTION hold()`);
  const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  return {
    isWaitedFor: () => expect.poll(async () => (await shop.pool.query(waiting)).rowCount, { timeout: 60_000 }).toBe(1),
    letGo: async () => {
      await holder.query(`SELECT pg_advisory_unlock(hashtext('${queue}'))`);
      holder.release();
    },
  };
}

test("Ctrl-C ends a long act behind the page that is under way, and how much was done is told and written down", async () => {
  const queue = await withLetters("mails", 1_200);
  const held = await holdRow("mails", 750);
  const discard = start(["discard", "mails", "--all", "--yes", "--json"], { env: shop.env });
  const result = ended(discard);
  await held.isWaitedFor();
  await signal(discard, "SIGINT");
  await held.letGo();
  expect(await result).toEqual({
    code: 130,
    stdout: '{"queue":"mails","count":1000,"interrupted":true}\n',
    stderr: "It was stopped by SIGINT.\n",
  });
  expect((await queue.counts()).dead).toBe(200);
  expect(objects(await shop.run("audit", "--target", "queue:mails", "--json"))).toMatchObject([
    { action: "discard", count: 1_000, error: "It was stopped by SIGINT." },
  ]);
});

test("SIGTERM does the same to a cancel", async () => {
  const queue = shop.app.queue<number>("calls", { transactional: true });
  await queue.addMany(Array.from({ length: 5_600 }, (_, n) => ({ data: n })));
  await shop.known();
  const held = await holdRow("calls", 5_100);
  const cancel = start(["cancel", "calls", "--all", "--yes"], { env: shop.env });
  const result = ended(cancel);
  await held.isWaitedFor();
  await signal(cancel, "SIGTERM");
  await held.letGo();
  expect(await result).toEqual({ code: 143, stdout: "Cancelled 5,500 jobs of calls.\n", stderr: "It was stopped by SIGTERM.\n" });
  expect(objects(await shop.run("jobs", "calls", "--limit", "1000", "--json=data"))).toHaveLength(100);
});

/** The same for the dead letters of a group, of which there are so many. */
async function withGroupLetters(name: string, count: number): Promise<void> {
  const stream = shop.app.stream<number>(name, { transactional: true });
  await stream.appendMany(Array.from({ length: count }, (_, n) => n));
  const consumer = stream.consume("mailer", () => Promise.reject(new Error("no mail today")), {
    from: "-",
    maxAttempts: 1,
    concurrency: 100,
  });
  await expect.poll(async () => (await stream.groups())[0]?.dead, { timeout: 120_000 }).toBe(count);
  await consumer.stop();
  await shop.known();
}

async function holdLetter(stream: string, n: number): ReturnType<typeof holdRow> {
  const holder = await shop.pool.connect();
  await holder.query(`
    SELECT pg_advisory_lock(hashtext('${stream}'));
    CREATE OR REPLACE FUNCTION hold_letter() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext(OLD.stream)); RETURN NEW; END $$`);
  const { rows } = await holder.query<{ position: string }>(
    `SELECT position FROM keyline.settled_event WHERE stream = '${stream}' ORDER BY position OFFSET ${n} LIMIT 1`,
  );
  await holder.query(`CREATE TRIGGER "hold_${stream}" BEFORE UPDATE ON keyline.settled_event FOR EACH ROW
      WHEN (OLD.stream = '${stream}' AND OLD.position = ${rows[0]?.position}) EXECUTE FUNCTION hold_letter()`);
  const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  return {
    isWaitedFor: () => expect.poll(async () => (await shop.pool.query(waiting)).rowCount, { timeout: 60_000 }).toBe(1),
    letGo: async () => {
      await holder.query(`SELECT pg_advisory_unlock(hashtext('${stream}'))`);
      holder.release();
    },
  };
}

test.each([
  { act: "redrive", args: [], done: "Redrove" },
  { act: "discard", args: ["--all", "--yes"], done: "Discarded" },
])("Ctrl-C ends a $act of a group's letters behind the page that is under way, too", async ({ act, args, done }) => {
  const name = `events-${act}`;
  await withGroupLetters(name, 1_200);
  const held = await holdLetter(name, 750);
  const child = start(["groups", act, name, "mailer", ...args], { env: shop.env });
  const result = ended(child);
  await held.isWaitedFor();
  await signal(child, "SIGINT");
  await held.letGo();
  expect(await result).toEqual({
    code: 130,
    stdout: `${done} 1,000 dead letters of group mailer.\n`,
    stderr: "It was stopped by SIGINT.\n",
  });
  expect((await shop.app.stream<number>(name, { transactional: true }).groups())[0]?.dead).toBe(200);
  expect(objects(await shop.run("audit", "--target", `stream:${name}`, "--json"))).toMatchObject([
    { action: `group.${act}`, count: 1_000, error: "It was stopped by SIGINT." },
  ]);
});

test("of lines that are added those before Ctrl-C are there", async () => {
  const add = start(["add", "lines", "--lines", "--create"], { env: shop.env });
  const result = ended(add);
  add.stdin?.write(Array.from({ length: 600 }, (_, n) => `${n}\n`).join(""));
  const queue = shop.app.queue<number>("lines");
  await expect.poll(async () => (await queue.counts()).waiting, { timeout: 60_000 }).toBe(500);
  add.kill("SIGINT");
  const { code, stdout, stderr } = await result;
  expect({ code, stdout, stderr }).toEqual({ code: 130, stdout: "", stderr: "Added 500 jobs before that.\nIt was stopped by SIGINT.\n" });
  expect((await queue.counts()).waiting).toBe(500);
});

test.runIf(hasTerminals)("on a terminal there is a bar meanwhile, which is gone when Ctrl-C has been pressed", async () => {
  const queue = await withLetters("shown", 1_200);
  const held = await holdRow("shown", 750);
  const redrive = startOnTerminal(["redrive", "shown", "--all"], { env: shop.env, columns: 70 });
  let seen = "";
  const bar = printed(redrive, /Redriving █+░+ 500\/1200/);
  redrive.stdout?.on("data", (chunk: Buffer | string) => (seen += chunk.toString()));
  await Promise.all([bar, held.isWaitedFor()]);
  redrive.stdin?.write("\u0003");
  // The terminal answers when it has passed it on.
  await printed(redrive, /\^C/);
  await held.letGo();
  expect((await once(redrive, "close"))[0]).toBe(130);
  expect(plain(seen.slice(seen.lastIndexOf("\u001b[2K")))).toBe("Redrove 1,000 dead letters of shown.\r\nIt was stopped by SIGINT.\r\n");
  // The cursor is shown again.
  expect(seen.lastIndexOf("\u001b[?25h")).toBeGreaterThan(seen.lastIndexOf("\u001b[?25l"));
  expect((await queue.counts()).dead).toBe(200);
});
