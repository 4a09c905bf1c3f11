import { startPostgres, startValkey, type EmbeddedPostgres, type EmbeddedValkey } from "@keyline/embedded";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask, readsOf, useAll } from "../support/operator-reads.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";
import { startWireProxy, type WireProxy } from "../support/wire-proxy.ts";

let valkey: EmbeddedValkey;
let postgres: EmbeddedPostgres;
let wire: WireProxy;
let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  [valkey, postgres] = await Promise.all([startValkey(), startPostgres()]);
  wire = await startWireProxy({ target: { host: "127.0.0.1", port: postgres.port } });
  stage = await openStage({ valkeyUrl: valkey.url, postgresUrl: postgres.url });
  await stage.keyline().migrate();
  keyline = stage.keyline({ postgres: stage.databaseUrl.replace(/:\d+\//, `:${wire.port}/`) });
  await useAll(keyline);
  await ask(readsOf(keyline));
});
afterAll(async () => {
  await stage.close();
  await wire.stop();
  await Promise.all([valkey.stop(), postgres.stop()]);
});

/** Those that ended in another way than by an answer, or one of these codes. */
async function oddOnes(...codes: readonly string[]): Promise<[string, string][]> {
  const fine = new Set(["answered", "UNKNOWN_GROUP", ...codes]);
  return [...(await ask(readsOf(keyline)))].filter(([, ended]) => !fine.has(ended));
}

async function answered(): Promise<string[]> {
  return [...(await ask(readsOf(keyline)))].filter(([, ended]) => ended === "answered").map(([name]) => name);
}

const back = (store: "valkey" | "postgres"): Promise<void> =>
  eventually(`${store} is back`, async () => (await keyline.health())[store].state === "ok", 60_000);

const always = ["health", "directory.queues", "directory.streams", "directory.channels", "stores (plain)", "stores (rows)"];

test("while both stores are there everything answers", async () => {
  expect(await oddOnes()).toEqual([]);
});

test("a PostgreSQL that says nothing is told in words, and what is on Valkey alone answers", async () => {
  wire.stallAll();
  expect(await oddOnes("POSTGRES_UNAVAILABLE", "POSTGRES_BUSY")).toEqual([]);
  wire.passAll();
  wire.cutAll();
  await back("postgres");
});

test("while PostgreSQL is away it is told in words, and what is on Valkey alone answers", async () => {
  await postgres.kill();
  await eventually("it is seen", async () => (await keyline.health()).postgres.state === "away");
  expect(await oddOnes("POSTGRES_UNAVAILABLE")).toEqual([]);
  const alone = ["counts (plain)", "rates (plain)", "rates (rows)", "workers (rows)", "channel.history", "channel.listeners"];
  expect(await answered()).toEqual(expect.arrayContaining([...always, ...alone]));
  await postgres.restart();
  await back("postgres");
});

test("a Valkey that says nothing is told in words, and what PostgreSQL knows answers", async () => {
  valkey.pause();
  expect(await oddOnes("VALKEY_UNAVAILABLE")).toEqual([]);
  valkey.resume();
  await back("valkey");
});

test("while Valkey is away it is told in words, and what PostgreSQL knows answers", async () => {
  await valkey.kill();
  await eventually("it is seen", async () => (await keyline.health()).valkey.state === "away");
  expect(await oddOnes("VALKEY_UNAVAILABLE")).toEqual([]);
  const alone = [
    ...["counts", "jobs", "job", "family", "deadLetters", "deadLetterCauses", "schedules", "limits", "groups", "rates by hours"].map(
      (read) => `${read} (rows)`,
    ),
    "stream.info (rows)",
    "audit.list",
  ];
  expect(await answered()).toEqual(expect.arrayContaining([...always, ...alone]));
  await valkey.restart();
  await back("valkey");
  expect(await oddOnes()).toEqual([]);
});
