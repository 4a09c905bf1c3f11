import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FastifyInstance } from "fastify";
import { Keyline } from "keyline";
import pg from "pg";
import { openDatabase } from "../../site/database.ts";
import { errorsOnly } from "../../site/logger.ts";
import { buildSitePage } from "../../site/page-build.ts";
import { servePage } from "../../site/page.ts";
import { addBurstRoutes } from "./burst-routes.ts";
import { Bursts } from "./bursts.ts";
import { addLiveRoutes } from "./live-routes.ts";
import { Live } from "./live.ts";
import { OrderDesk } from "./order-desk.ts";
import { addOrderRoutes } from "./order-routes.ts";
import { OrderTracks } from "./order-tracks.ts";
import { openOrdersQueue, type OrdersQueue } from "./orders-queue.ts";
import { OrdersTable } from "./orders-table.ts";
import { Overview } from "./overview.ts";
import { addWorkerRoutes } from "./worker-routes.ts";
import { Workers } from "./workers.ts";

const path = "/shop";
const shopFolder = join(dirname(fileURLToPath(import.meta.url)), "..");

export interface ShopOptions {
  readonly valkeyUrl: string;
  /** The address of a PostgreSQL server: the shop's database is created there if it is missing. */
  readonly postgresUrl: string;
  /** Default `sales`. */
  readonly database?: string;
  /** Of every key in Valkey. Default `kl`. */
  readonly prefix?: string;
  /** Worker processes at the start. Default 2. */
  readonly workers?: number;
  readonly logError: (message: string) => void;
}

/** What operators look at. */
interface Shop {
  readonly keyline: Keyline;
  readonly queue: OrdersQueue;
}

/** Registers the shop's page and API on the site, and starts its workers; all of it ends when the site closes. */
export async function registerShop(site: FastifyInstance, options: ShopOptions): Promise<Shop> {
  const { valkeyUrl, postgresUrl, database = "sales", prefix = "kl", workers: workersAtStart = 2, logError } = options;
  const build = await buildSitePage({
    path,
    folder: join(shopFolder, "page"),
    alsoFrom: [join(shopFolder, "limits.ts"), join(shopFolder, "products.ts")],
  });
  const databaseUrl = await openDatabase(postgresUrl, database);
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10, connectionTimeoutMillis: 5_000 });
  // A connection that breaks while nobody uses it: the pool replaces it.
  pool.on("error", () => undefined);
  const keyline = new Keyline({ valkey: valkeyUrl, postgres: pool, prefix, logger: errorsOnly(logError) });
  const table = new OrdersTable(pool);
  const queue = openOrdersQueue(keyline);
  const tracks = new OrderTracks();
  const live = new Live(() => overview.take(), logError);
  const nudge = (): void => live.nudge();
  const settings = { valkey: valkeyUrl, postgres: databaseUrl, prefix, concurrency: 10, labelMs: 100 };
  const workers = new Workers(settings, tracks, nudge);
  const desk = new OrderDesk(keyline, queue, (orderIds) => {
    tracks.notePlaced(orderIds);
    nudge();
  });
  const bursts = new Bursts(desk, table);
  const overview = new Overview({ table, queue, tracks, workers, bursts });

  // Streams that do not end by themselves would keep the server from closing.
  site.addHook("preClose", () => live.stop());
  site.addHook("onClose", async () => {
    await bursts.stop();
    await workers.stopAll();
    await keyline.close();
    await pool.end();
  });

  await keyline.migrate();
  await table.create();
  addOrderRoutes(site, { desk, table });
  addBurstRoutes(site, bursts);
  addWorkerRoutes(site, { workers, queue });
  addLiveRoutes(site, live);
  await servePage(site, { path, build });
  for (let started = 0; started < workersAtStart; started++) workers.start();
  return { keyline, queue };
}
