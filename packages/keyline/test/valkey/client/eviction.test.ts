import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(() => stage.close());

const warnings = (): object[] => stage.log.filter(({ message }) => message.includes("maxmemory-policy")).map(({ details }) => details);

test("a policy that throws keys away is warned of once, however often Keyline connects, and none that throws nothing away", async () => {
  const keyline = stage.keyline();
  const reconnect = async (policy: string): Promise<void> => {
    await stage.valkey.config("SET", "maxmemory-policy", policy);
    await stage.valkey.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    // On a new connection the question has been answered when this is.
    await eventually("it is there again", () =>
      keyline.command("PING").then(
        () => true,
        () => false,
      ),
    );
  };
  await keyline.queue("first").add(1);
  await reconnect("noeviction");
  expect(warnings()).toEqual([]);
  await reconnect("allkeys-lru");
  await reconnect("allkeys-lru");
  expect(warnings()).toEqual([{ policy: "allkeys-lru" }]);
  await reconnect("volatile-ttl");
  expect(warnings()).toEqual([{ policy: "allkeys-lru" }, { policy: "volatile-ttl" }]);
});

test("with such a policy a full server loses plain jobs without a word, and keeps those of transactional queues by their rows", async () => {
  await stage.valkey.config("SET", "maxmemory-policy", "allkeys-lru");
  const keyline = stage.keyline();
  await keyline.migrate();
  const plain = keyline.queue<string>("plain");
  const kept = keyline.queue<string>("kept", { transactional: true });
  await plain.add("x");
  await kept.add("x");
  // Both lists are thrown away, as the only keys that are large enough to be worth it.
  await stage.valkey.config("SET", "maxmemory", "1");
  await eventually("it has thrown away everything", async () => (await stage.valkey.dbsize()) === 0);
  await stage.valkey.config("SET", "maxmemory", "0");
  expect((await plain.counts()).waiting).toBe(0);
  const ran: string[] = [];
  const worker = kept.work((job) => void ran.push(job.data));
  await eventually("the job with a row is delivered again", () => ran.length > 0);
  await worker.stop();
});
