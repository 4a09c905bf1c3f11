import { readFileSync } from "node:fs";
import type { Worker } from "keyline";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { eventually, gate } from "../../keyline/test/support/stage.ts";
import { ended, hasTerminals, keyline, onTerminal, printed, start, type Ended } from "./support/command.ts";
import { documentedCommands } from "./support/documented-commands.ts";
import { leaves } from "./support/leaves.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 480_000, hookTimeout: 240_000 });

/** What a command of a document ends with there, where it is not 0: the guide says why. */
const documented: readonly (readonly [command: RegExp, code: number])[] = [
  // The servers of tests write nothing to disk, and jobs wait that nobody works on.
  [/^doctor$/, 3],
  [/^status --check\b/, 3],
  [/^jobs emials$/, 2],
];
/** They ask before they begin: whoever types them is at a terminal. */
const asking = /^(?:cancel|discard) (?!.*--(?:yes|dry-run))/;
/** They go on until Ctrl-C, which ends them with 0. */
const following = /^(?:status --watch|tail (?!.*--limit))/;
/** Starts servers of its own, which another test does. */
const elsewhere = /^dev$/;

const { opened, open } = gate();
let shop: Shop;
let worker: Worker<string>;

/** What the documents speak of: orders that wait, run and have died, mails that have died of two causes, and a stream with a group that gave up. */
beforeAll(async () => {
  shop = await openShop();
  const orders = shop.app.queue<string>("orders", { transactional: true, maxAttempts: 1 });
  await withLetters(orders, ["no answer within 500 ms", "no answer within 750 ms"], "TimeoutError");
  await orders.add("running", { id: "order-4710" });
  worker = orders.work(() => opened, { concurrency: 1 });
  await eventually("one runs", async () => (await orders.counts()).running === 1);
  await orders.addMany([
    { data: "4711", id: "order-4711" },
    { data: "4712", id: "order-4712", group: "customer-7", delay: 3_600_000 },
    { data: "old", group: "old-campaign" },
    { data: "first", group: "customer-7" },
    { data: "second", group: "customer-7" },
  ]);
  const emails = shop.app.queue<string>("emails", { maxAttempts: 1 });
  await withLetters(emails, ["timeout after 1222 ms", "550 no such user"], "Error");
  await emails.schedule("nightly", { cron: "0 3 * * *", timezone: "Europe/Berlin", data: "report" });
  await emails.add("later", { id: "0mx1za3fw000puerilrl", delay: 7_200_000 });
  await shop.app.queue("reports").add("nobody works on it");
  for (const name of ["reviews", "log"]) await withGroup(name);
  await shop.known();
});
afterAll(async () => {
  open();
  await worker.stop();
  await shop.close();
});

async function withLetters(
  queue: { addMany(jobs: { data: string }[]): Promise<unknown>; work(handler: (job: { data: string }) => never): Worker<string> },
  messages: readonly string[],
  name: string,
): Promise<void> {
  await queue.addMany(messages.map((data) => ({ data })));
  const failing = queue.work((job) => {
    throw Object.assign(new Error(job.data), { name });
  });
  let left = messages.length;
  await new Promise<void>((resolve) => failing.on("dead", () => void (--left === 0 && resolve())));
  await failing.stop();
}

async function withGroup(name: string): Promise<void> {
  const stream = shop.app.stream<number>(name);
  const consumer = stream.consume("mailer", () => Promise.reject(new Error("no mail today")), { maxAttempts: 1, from: "-" });
  await stream.appendMany([1, 2]);
  await eventually("they are dead", async () => (await stream.groups())[0]?.dead === 2);
  await consumer.stop();
}

/** A process of it, with somebody who answers where it asks, and ends it where it goes on; jobs are added for whoever waits for what becomes of them. */
async function run(args: readonly string[]): Promise<Ended> {
  const command = args.join(" ");
  const { env } = shop;
  if (asking.test(command)) return onTerminal(args, { env, answers: ["y"] });
  const child = start(args, { env });
  const result = ended(child);
  const isFollowing = following.test(command);
  const seen = isFollowing ? printed(child, /\n/).catch(() => undefined) : undefined;
  void seen?.then(() => child.kill("SIGINT"));
  child.stdin?.end();
  if (!command.startsWith("tail queue emails")) return result;
  await eventually("it has seen some", async () => {
    if (child.exitCode === null && child.signalCode === null) await shop.app.queue("emails", { maxAttempts: 1 }).add("seen");
    return child.exitCode !== null || child.signalCode !== null;
  });
  return result;
}

test.runIf(hasTerminals).each(["docs/guides/operate.md", "docs/guides/command-line.md", "packages/cli/README.md", "README.md"])(
  "every command of %s does what it is there for",
  async (document) => {
    const known = new Set(await leaves());
    const commands = documentedCommands(readFileSync(new URL(`../../../${document}`, import.meta.url), "utf8"));
    expect(commands.length).toBeGreaterThan(0);
    for (const { line, args } of commands) {
      const command = args.join(" ");
      const where = `${document}:${line} keyline ${command}`;
      if (elsewhere.test(command)) {
        expect(known, where).toContain(command);
        continue;
      }
      const { code, stdout, stderr } = await run(args);
      const expected = documented.find(([pattern]) => pattern.test(command))?.[1] ?? 0;
      expect({ code, said: code === expected ? "" : stdout + stderr }, where).toEqual({ code: expected, said: "" });
    }
  },
);

test("an option or a command that a document has invented is found", async () => {
  const invented = [
    "```sh",
    "npx keyline jobs orders --stat dead   # all of them",
    "keyline status --check --max-age soon || echo 'look'",
    "source <(keyline completion tcsh)",
    "```",
    "Then `keyline revive orders`, or:",
    "```console",
    "$ keyline redrive orders --cause 'no answer within # ms' --now",
    "Redrove 2",
    "```",
  ].join("\n");
  const found = documentedCommands(invented);
  expect(found).toEqual([
    { line: 2, args: ["jobs", "orders", "--stat", "dead"] },
    { line: 3, args: ["status", "--check", "--max-age", "soon"] },
    { line: 4, args: ["completion", "tcsh"] },
    { line: 6, args: ["revive", "orders"] },
    { line: 8, args: ["redrive", "orders", "--cause", "no answer within # ms", "--now"] },
  ]);
  const results = await Promise.all(found.map(({ args }) => keyline(args, { env: shop.env })));
  expect(results.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2]);
});
