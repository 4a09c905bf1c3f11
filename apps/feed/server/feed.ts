import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChannelExposure } from "@keyline/gateway";
import type { FastifyInstance } from "fastify";
import { Keyline } from "keyline";
import pg from "pg";
import { openDatabase } from "../../site/database.ts";
import { errorsOnly } from "../../site/logger.ts";
import { buildSitePage } from "../../site/page-build.ts";
import { servePage } from "../../site/page.ts";
import type { Tokens } from "../../site/tokens.ts";
import { readersRoom } from "../channel-names.ts";
import { addChannelRoutes } from "./channel-routes.ts";
import { Channels } from "./channels.ts";
import { FeedTables } from "./feed-tables.ts";
import { PostDesk } from "./post-desk.ts";
import { addPostRoutes } from "./post-routes.ts";
import { addReaderRoutes } from "./reader-routes.ts";
import { addSamples } from "./samples.ts";
import { WeatherDesk } from "./weather-desk.ts";
import { WeatherStations } from "./weather-stations.ts";

const path = "/feed";
const feedFolder = join(dirname(fileURLToPath(import.meta.url)), "..");

export interface FeedOptions {
  readonly valkeyUrl: string;
  /** The address of a PostgreSQL server: the feed's database is created there if it is missing. */
  readonly postgresUrl: string;
  /** For the pages' connections to the gateway. */
  readonly tokens: Tokens;
  /** Default `feed`. */
  readonly database?: string;
  /** Of every key in Valkey. Default `kl`. */
  readonly prefix?: string;
  /** Messages that a channel keeps for pages that were away. Default 1,000. */
  readonly historySize?: number;
  /** Between two simulated weather readings. Default 2 s. */
  readonly weatherEveryMs?: number;
  readonly logError: (message: string) => void;
}

/** What the gateway needs to carry the feed's channels. */
export interface Feed {
  readonly keyline: Keyline;
  findExposure(name: string): Promise<ChannelExposure | undefined>;
}

/** Registers the feed's page and API on the site, and starts the simulated weather; all of it ends when the site closes. */
export async function registerFeed(site: FastifyInstance, options: FeedOptions): Promise<Feed> {
  const { valkeyUrl, postgresUrl, tokens, database = "feed", prefix = "kl", logError } = options;
  const { historySize = 1_000, weatherEveryMs = 2_000 } = options;
  const build = await buildSitePage({
    path,
    folder: join(feedFolder, "page"),
    alsoFrom: ["limits.ts", "channel-names.ts", "post.ts", "reading.ts"].map((file) => join(feedFolder, file)),
    packages: ["@keyline/client"],
  });
  const pool = new pg.Pool({
    connectionString: await openDatabase(postgresUrl, database),
    max: 10,
    connectionTimeoutMillis: 5_000,
  });
  // A connection that breaks while nobody uses it: the pool replaces it.
  pool.on("error", () => undefined);
  const keyline = new Keyline({ valkey: valkeyUrl, postgres: pool, prefix, logger: errorsOnly(logError) });
  const tables = new FeedTables(pool);
  const channels = new Channels({ keyline, tables, history: { size: historySize } });
  const stations = new WeatherStations(keyline, { everyMs: weatherEveryMs });
  const weather = new WeatherDesk(keyline);
  const readers = keyline.channel(readersRoom);

  site.addHook("onClose", async () => {
    await stations.stop();
    await weather.stop();
    await keyline.close();
    await pool.end();
  });

  await keyline.migrate();
  await tables.create();
  await addSamples(keyline, channels);
  await weather.start();
  stations.start();
  addChannelRoutes(site, channels);
  addPostRoutes(site, { channels, desk: new PostDesk(keyline), tables });
  addReaderRoutes(site, tokens);
  await servePage(site, { path, build });

  // For operators: these are shown, and what is published on them is counted.
  await Promise.all([readers, channels.news, weather.channel].map((channel) => channel.list())).catch(() => undefined);
  // Nobody publishes but the API, which writes to PostgreSQL too.
  const toRead = { access: "public", publish: "nobody" } as const;
  const fixed = new Map<string, ChannelExposure>([
    [readers.name, { channel: readers, ...toRead, presence: true }],
    [channels.news.name, { channel: channels.news, ...toRead }],
    [weather.channel.name, { channel: weather.channel, ...toRead }],
  ]);
  return {
    keyline,
    findExposure: async (name) => {
      const exposure = fixed.get(name);
      if (exposure) return exposure;
      const channel = await channels.find(name);
      return channel && { channel, ...toRead };
    },
  };
}
