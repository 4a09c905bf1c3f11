import { createServer, connect, type AddressInfo, type Server } from "node:net";
import { once } from "node:events";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { openStage, type Stage } from "../../support/stage.ts";
import { targetOf } from "../../support/wire-proxy.ts";

// The server may end a session the moment it is ready, as when an operator ends all of them: one packet then brings both, and the connection
// breaks before whoever waited for it has it.

const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

let stage: Stage;
let door: Server;
let left: number;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

beforeEach(async () => {
  left = 0;
  door = createServer((client) => {
    const server = connect(targetOf(stage.databaseUrl));
    client.pipe(server);
    let isReady = false;
    server.on("data", (bytes) => {
      const isFirst = !isReady && bytes.subarray(-readyForQuery.length).equals(readyForQuery);
      isReady ||= isFirst;
      if (!isFirst || left === 0) return void client.write(bytes);
      left--;
      client.end(Buffer.concat([bytes, fatal()]));
      server.destroy();
    });
    server.on("close", () => client.end()).on("error", () => undefined);
    client.on("close", () => server.destroy()).on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await once(door, "listening");
});

afterEach(() => void door.close());

/** What a session is told that somebody ends. */
function fatal(): Buffer {
  const fields = Buffer.from("SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0");
  const head = Buffer.from("E\0\0\0\0");
  head.writeInt32BE(4 + fields.length, 1);
  return Buffer.concat([head, fields]);
}

function address(): string {
  const url = new URL(stage.databaseUrl);
  url.host = `127.0.0.1:${(door.address() as AddressInfo).port}`;
  return url.href;
}

const broken = { code: "POSTGRES_UNAVAILABLE", message: expect.stringContaining("administrator command") as string };

test("a connection that the server ends as it becomes ready is one that could not be had", async () => {
  const keyline = stage.keyline({ postgres: address() });
  left = 2;
  let calls = 0;
  await expect(keyline.transaction(() => Promise.resolve(calls++))).rejects.toMatchObject(broken);
  expect([left, calls]).toEqual([0, 0]);
  expect(await keyline.transaction(() => Promise.resolve("done"))).toBe("done");
});

test("so is one of the caller's own pool, and one that somebody waited for", async () => {
  const pool = new pg.Pool({ connectionString: address(), max: 2 });
  const keyline = stage.keyline({ postgres: pool });
  const others = await Promise.all([pool.connect(), pool.connect()]);
  left = 2;
  const waiting = keyline.transaction(() => Promise.resolve());
  await expect.poll(() => pool.waitingCount).toBe(1);
  for (const other of others) other.release(true);
  await expect(waiting).rejects.toMatchObject(broken);
  expect(left).toBe(0);
  expect(await keyline.transaction(() => Promise.resolve("done"))).toBe("done");
  await keyline.close();
  await pool.end();
});
