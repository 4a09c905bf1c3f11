import { once } from "node:events";
import { startValkey } from "@keyline/embedded";
import { Keyline } from "keyline";
import { expect, test, vi } from "vitest";
import { keyline, objects, printed, start } from "./support/command.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

test("whoever watches sees a store go away and come back, and doctor says what to do meanwhile", async () => {
  const valkey = await startValkey({ persistence: true });
  const env = { VALKEY_URL: valkey.url };
  const app = new Keyline({ valkey: valkey.url });
  await app.queue("emails").add(1);
  await app.close();
  const watch = start(["status", "--watch", "0.1", "--json=healthy,stores,items"], { env });
  await printed(watch, /"name":"emails"/);
  await valkey.kill();
  await printed(watch, /"state":"away"/);
  const [doctor, checked, queues] = await Promise.all([
    keyline(["doctor", "--json"], { env }),
    keyline(["status", "--check"], { env }),
    keyline(["queues"], { env }),
  ]);
  expect(doctor.code).toBe(3);
  expect(objects(doctor)[0]).toMatchObject({ valkey: { state: "away" }, warnings: [{ code: "VALKEY_AWAY" }] });
  expect(checked).toMatchObject({ code: 3, stdout: "", stderr: expect.stringMatching(/^Valkey is away: /) as string });
  expect(queues).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("Is it running?") as string });
  await valkey.restart();
  await printed(watch, /"state":"ok".*"name":"emails"/);
  watch.kill("SIGINT");
  expect(await once(watch, "close")).toEqual([0, null]);
  await valkey.stop();
});
