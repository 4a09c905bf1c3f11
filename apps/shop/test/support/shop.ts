import type { FastifyInstance } from "fastify";
import type pg from "pg";
import { inject } from "vitest";
import { createSite } from "../../../site/site.ts";
import { openPool } from "../../../site/test/support/pool.ts";
import { request, type Answer } from "../../../site/test/support/request.ts";
import { registerShop } from "../../server/shop.ts";

/** A shop with a database and a key prefix of its own, on the servers that all tests share. */
export interface TestShop {
  readonly url: string;
  readonly pool: pg.Pool;
  /** What the server logged as errors. */
  readonly errors: readonly string[];
  request(method: string, path: string, body?: unknown): Promise<Answer>;
  close(): Promise<void>;
}

interface ShopSettings {
  readonly workers?: number;
  /** Of a shop that was there before, to open it again. */
  readonly name?: string;
  readonly port?: number;
  readonly valkeyUrl?: string;
}

let opened = 0;

export function newShopName(): string {
  return `shop_${process.pid}_${Date.now().toString(36)}_${opened++}`;
}

export async function openShop({
  workers = 2,
  name = newShopName(),
  port = 0,
  valkeyUrl = inject("valkeyUrl"),
}: ShopSettings = {}): Promise<TestShop> {
  const errors: string[] = [];
  const logError = (message: string): number => errors.push(message);
  const site = createSite({ logError });
  const postgresUrl = inject("postgresUrl");
  await registerShop(site, { valkeyUrl, postgresUrl, database: name, prefix: name, workers, logError });
  await site.listen({ host: "127.0.0.1", port });
  const url = urlOf(site);
  const pool = openPool(postgresUrl, name);
  return {
    url,
    pool,
    errors,
    request: (method, path, body) => request(`${url}${path}`, { method, body }),
    close: async () => {
      await site.close();
      await pool.end();
    },
  };
}

function urlOf(site: FastifyInstance): string {
  const address = site.server.address();
  if (typeof address !== "object" || !address) throw new Error("The site does not listen on a port");
  return `http://127.0.0.1:${address.port}`;
}
