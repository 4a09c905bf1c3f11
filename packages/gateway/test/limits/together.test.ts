import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openQuietStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { Holdings } from "../support/attacked-gateway.ts";
import type { Tallies } from "../support/attackers.ts";
import { bearer, signToken } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
const children: ChildProcess[] = [];
beforeAll(async () => {
  // Its commands are counted.
  stage = await openQuietStage();
  const log = stage.keyline().stream<string>("log", { key: () => "k" });
  await Promise.all(Array.from({ length: 300 }, () => log.append("x".repeat(10_000))));
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await stage.close();
});

interface Started<Greeting, Answer> {
  readonly child: ChildProcess;
  readonly greeting: Greeting;
  ask(): Promise<Answer>;
}

/** A process of `test/support`, which answers each message with one. */
async function start<Greeting, Answer>(script: string, argument: string): Promise<Started<Greeting, Answer>> {
  const path = fileURLToPath(new URL(`../support/${script}`, import.meta.url));
  const child = fork(path, [argument], { execArgv: ["--conditions=development", "--expose-gc"] });
  children.push(child);
  const next = async (): Promise<unknown> => ((await once(child, "message")) as unknown[])[0];
  return {
    child,
    greeting: (await next()) as Greeting,
    ask: async () => {
      const answer = next();
      child.send("");
      return (await answer) as Answer;
    },
  };
}

// The attackers are at 127.0.0.1.
const elsewhere = { localAddress: "127.0.0.2" };

function statusFromElsewhere(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = get(url, { ...elsewhere, agent: false }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode));
    });
    request.once("error", reject);
  });
}

/** Two that are honest: somebody at another address, and somebody with a token at the attackers' own. */
async function admitHonest(url: string) {
  const token = await signToken({ channels: { publish: ["news"] }, exp: Math.floor(Date.now() / 1_000) + 600 });
  const visitor = await SocketReader.open(`${url}/v1/ws`, {}, elsewhere);
  const member = await SocketReader.open(`${url}/v1/ws`, bearer(token));
  for (const reader of [visitor, member]) await reader.ask({ type: "subscribe", channel: "news" }, "subscribed");
  let rounds = 0;
  return {
    rounds: () => rounds,
    /** Both are served, and a guest who has just come from the other address. */
    async serve(): Promise<void> {
      rounds++;
      const guest = await SocketReader.open(`${url}/v1/ws`, {}, elsewhere);
      await guest.ask({ type: "subscribe", channel: "news" }, "subscribed");
      await member.ask({ type: "publish", channel: "news", data: { round: rounds } }, "published");
      const received = await Promise.all([guest.receive("message"), visitor.receive("message", rounds), member.receive("message", rounds)]);
      expect(received.map((frames) => frames.at(-1)?.["data"])).toEqual(Array.from({ length: 3 }, () => ({ round: rounds })));
      guest.close();
      expect(await statusFromElsewhere(`${url}/v1/streams/log/events?limit=1`)).toBe(200);
    },
    leave(): void {
      visitor.close();
      member.close();
    },
  };
}

/** What one round of theirs asks of the application, and counts in Valkey. */
const honestAsks = 3;

/** Each attack was made, and met the limit that is for it. */
function haveAllStruck(tallies: Tallies): boolean {
  const closed = (kind: string): number => tallies[kind]?.closed ?? 0;
  const answered = (kind: string, status: number): number => tallies[kind]?.statuses[status] ?? 0;
  return (
    // Each of those that were let in at the beginning. Whether one that comes again is answered (429) or finds no place to wait in is left to chance.
    ["unknown names", "refusals"].every((kind) => closed(kind) >= 20) &&
    ["pongs", "tiny frames"].every((kind) => closed(kind) >= 10) &&
    answered("one too many", 429) > 0 &&
    closed("one too many") > 0 &&
    answered("deaf subscribers", 101) >= 10 &&
    answered("deaf event streams", 200) >= 10 &&
    answered("unfinished messages", 101) >= 20 &&
    answered("reads of a key", 200) > 0 &&
    closed("pages of a key") > 0 &&
    closed("long names") > 0 &&
    // Of 1,000 at once, 500 may stay.
    closed("half requests") >= 500
  );
}

/** How often Valkey has run a command, calls by scripts included; without a name, all of them. */
async function commands(name = "\\w+"): Promise<number> {
  const calls = (await stage.valkey.info("commandstats")).matchAll(new RegExp(`cmdstat_${name}:calls=(\\d+)`, "g"));
  return [...calls].reduce((sum, [, count]) => sum + Number(count), 0);
}

const mebibyte = 1_048_576;
// Of one address, with the default limits.
const mostLive = 100;
const mostWaiting = 500;
const mostRequests = 600;
/** A page of one key's entries is read one by one, until there are 1,000 or what was read is a mebibyte: here some 140, of ten thousand bytes. */
const mostCommandsOfRequest = 200;
/** 100 answers of one mebibyte each, and what is left over for everything else. */
const mostMemory = 100 * mebibyte + 32 * mebibyte;
const minute = (): number => Math.floor(Date.now() / 60_000);
const subscribed = async (): Promise<string[]> => (await stage.valkey.pubsub("CHANNELS", "*{news}*")) as string[];

test("whatever one address without a token does all at once: others are served, its limits hold together, and nothing of it stays", async () => {
  const settings = JSON.stringify({ valkey: stage.valkeyUrl, prefix: stage.prefix });
  const { greeting, ask: look } = await start<{ url: string }, Holdings>("attacked-gateway.ts", settings);
  const honest = await admitHonest(greeting.url);
  for (let n = 0; n < 10; n++) await honest.serve();
  const before = await look();
  const honestBefore = honest.rounds();
  const [commandsBefore, countsBefore, minuteBefore] = [await commands(), await commands("incr"), minute()];

  const { child: attackers, ask: tally } = await start<"ready", Tallies>("attackers.ts", new URL(greeting.url).port);
  const during: Holdings[] = [];
  while (!haveAllStruck(await tally()) || during.length < 20) {
    await honest.serve();
    during.push(await look());
    // Fewer than 200 rounds in a minute: the honest keep to the limit of their own address.
    await wait(300);
  }
  const windows = minute() - minuteBefore + 1;
  const mostCounted = windows * mostRequests + honestAsks * (honest.rounds() - honestBefore);
  const last = await look();
  const counted = (await commands("incr")) - countsBefore;
  const commanded = (await commands()) - commandsBefore;
  const memory = Math.max(...during.map(({ bytes }) => bytes)) - before.bytes;
  // The honest have three live connections, and one request.
  expect(Math.max(...during.map(({ connections }) => connections))).toBeLessThanOrEqual(mostLive + 3);
  expect(last.mostSockets).toBeLessThanOrEqual(mostLive + mostWaiting + 4);
  expect(last.asked - before.asked).toBeLessThanOrEqual(mostCounted);
  expect(counted).toBeLessThanOrEqual(mostCounted);
  expect(commanded).toBeLessThanOrEqual(mostCounted * mostCommandsOfRequest);
  expect(memory).toBeLessThanOrEqual(mostMemory);

  attackers.kill("SIGKILL");
  await eventually("only the two are left", async () => {
    const { connections, sockets, timers } = await look();
    return connections === 2 && sockets === before.sockets && timers === before.timers;
  });
  expect((await look()).bytes - before.bytes).toBeLessThanOrEqual(8 * mebibyte);
  await honest.serve();
  honest.leave();
  await eventually(
    "nobody is left, and nothing is listened to",
    async () => (await look()).sockets === 0 && (await subscribed()).length === 0,
    60_000,
  );
}, 180_000);
