import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openShop, type TestShop } from "./support/shop.ts";

let valkey: EmbeddedValkey;
let shop: TestShop;
beforeAll(async () => {
  valkey = await startValkey();
  shop = await openShop({ workers: 1, valkeyUrl: valkey.url });
});
afterAll(async () => {
  await shop.close();
  await valkey.stop();
});

async function count(condition: string): Promise<number> {
  const { rows } = await shop.pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM orders WHERE ${condition}`);
  return rows[0]?.count ?? Number.NaN;
}

test("orders are accepted while Valkey is away, and all are processed when it is back without its memory", async () => {
  await shop.request("PUT", "/api/shop/label-time", { labelMs: 100 });
  await shop.request("POST", "/api/shop/bursts", { count: 200 });
  await expect.poll(() => count("status = 'processed'"), { timeout: 20_000 }).toBeGreaterThan(0);
  await valkey.kill();
  expect(await shop.request("POST", "/api/shop/orders", { details: "placed without Valkey" })).toMatchObject({ status: 201 });
  await valkey.restart();
  await expect.poll(() => count("true"), { timeout: 20_000 }).toBe(201);
  await expect.poll(() => count("status IS DISTINCT FROM 'processed'"), { timeout: 25_000 }).toBe(0);
});
