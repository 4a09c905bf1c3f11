import { startValkeyCluster, type EmbeddedValkeyCluster } from "@keyline/embedded";
import type { Keyline, Stream } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask, readsOf, useAll } from "../support/operator-reads.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let cluster: EmbeddedValkeyCluster;
let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  [cluster, stage] = await Promise.all([startValkeyCluster(), openStage()]);
  keyline = stage.keyline({ valkey: { cluster: cluster.nodes } });
  await keyline.migrate();
});
afterAll(async () => {
  await stage.close();
  await cluster.stop();
});

test("all that operators read answers on a cluster", async () => {
  await useAll(keyline);
  const odd = [...(await ask(readsOf(keyline)))].filter(([, ended]) => ended !== "answered" && ended !== "UNKNOWN_GROUP");
  expect(odd).toEqual([]);
  expect((await keyline.directory.queues()).map(({ name }) => name)).toEqual(["plain", "rows"]);
  expect((await keyline.directory.channels()).map(({ name }) => name)).toEqual(["kept"]);
});

// Consumers learn of a reset when they renew it.
const lease = 900;

interface N {
  readonly n: number;
}

test.each([false, true])("a group is reset on a cluster while its consumers run (transactional: %s)", async (transactional) => {
  const key = ({ n }: N): string => `key-${n % 3}`;
  const open = (name: string): Stream<N, N, boolean> =>
    transactional ? keyline.stream<N>(name, { key, transactional: true }) : keyline.stream<N>(name, { key });
  // On several nodes, as each name has a slot of its own.
  for (const name of ["one", "two"].map((end) => `reset-${String(transactional)}-${end}`)) {
    const stream = open(name);
    const ids: string[] = [];
    for (let n = 0; n < 9; n++) ids.push((await stream.append({ n })).id);
    const ran: number[] = [];
    const consumers = [1, 2].map(() => stream.consume("g", ({ data }) => void ran.push(data.n), { concurrency: 4, lease }));
    const group = stream.group("g");
    const finished = async (): Promise<boolean> => {
      const { lag, pending } = await group.status();
      return lag + pending === 0;
    };
    await eventually("all ran", async () => ran.length >= 9 && (await finished()));
    ran.length = 0;
    await group.reset("start");
    await eventually("all ran again", async () => new Set(ran).size === 9 && (await finished()));
    ran.length = 0;
    await group.reset(ids[6] ?? "");
    await eventually("the last three ran again", async () => ran.length >= 3 && (await finished()));
    expect(new Set(ran)).toEqual(new Set([6, 7, 8]));
    await group.reset("end");
    expect(await group.status()).toMatchObject({ lag: 0, pending: 0 });
    await Promise.all(consumers.map((consumer) => consumer.stop()));
  }
});
