import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChannelExposure, StreamExposure } from "@keyline/gateway";
import type { FastifyInstance } from "fastify";
import { Keyline } from "keyline";
import pg from "pg";
import { openDatabase } from "../../site/database.ts";
import { errorsOnly } from "../../site/logger.ts";
import { buildSitePage } from "../../site/page-build.ts";
import { servePage } from "../../site/page.ts";
import type { Tokens } from "../../site/tokens.ts";
import { isNotificationChannel, reviewEvents } from "../channel-names.ts";
import { CountedEvent } from "../review-event.ts";
import { Identities } from "./identities.ts";
import { Notifications } from "./notifications.ts";
import { countReactions } from "./reaction-counts.ts";
import { ReviewDesk } from "./review-desk.ts";
import { addReviewRoutes } from "./review-routes.ts";
import { ReviewTables } from "./review-tables.ts";
import { openReviewsStream } from "./reviews-stream.ts";
import { addSamples } from "./samples.ts";
import { addSignInRoutes } from "./sign-in-routes.ts";

const path = "/reviews";
const reviewsFolder = join(dirname(fileURLToPath(import.meta.url)), "..");

export interface ReviewsOptions {
  readonly valkeyUrl: string;
  /** The address of a PostgreSQL server: the database is created there if it is missing. */
  readonly postgresUrl: string;
  /** Of those who sign in. */
  readonly tokens: Tokens;
  /** Default `restaurant_reviews`. */
  readonly database?: string;
  /** Of every key in Valkey. Default `kl`. */
  readonly prefix?: string;
  readonly logError: (message: string) => void;
}

/** What the gateway needs to carry the notifications and the events. */
export interface Reviews {
  readonly stream: ReturnType<typeof openReviewsStream>;
  readonly streams: readonly StreamExposure[];
  findExposure(name: string): ChannelExposure | undefined;
}

/** Registers the reviews' page and API on the site, and starts to count reactions; all of it ends when the site closes. */
export async function registerReviews(site: FastifyInstance, options: ReviewsOptions): Promise<Reviews> {
  const { valkeyUrl, postgresUrl, tokens, database = "restaurant_reviews", prefix = "kl", logError } = options;
  const shared = ["limits.ts", "user-id.ts", "channel-names.ts", "reaction-kinds.ts", "review.ts", "review-event.ts", "notification.ts"];
  const build = await buildSitePage({
    path,
    folder: join(reviewsFolder, "page"),
    alsoFrom: shared.map((file) => join(reviewsFolder, file)),
    packages: ["@keyline/client"],
  });
  const pool = new pg.Pool({
    connectionString: await openDatabase(postgresUrl, database),
    max: 10,
    connectionTimeoutMillis: 5_000,
    // For the column that has none.
    options: "-c TimeZone=UTC",
  });
  // A connection that breaks while nobody uses it: the pool replaces it.
  pool.on("error", () => undefined);
  const keyline = new Keyline({ valkey: valkeyUrl, postgres: pool, prefix, logger: errorsOnly(logError) });
  const tables = new ReviewTables(pool);
  const stream = openReviewsStream(keyline);
  const notifications = new Notifications(keyline);
  const events = keyline.channel(reviewEvents, { schema: CountedEvent, history: { size: 1_000 } });
  const identities = new Identities(tokens);

  site.addHook("onClose", async () => {
    // Its projections stop first.
    await keyline.close();
    await pool.end();
  });

  await keyline.migrate();
  await tables.create();
  await addSamples({ keyline, stream, notifications });
  const projection = countReactions(stream, events);
  addReviewRoutes(site, { desk: new ReviewDesk({ keyline, stream, notifications }), tables, stream, events, projection, identities });
  addSignInRoutes(site, identities);
  await servePage(site, { path, build });

  // For operators: it is shown, and what is published on it is counted.
  await events.list().catch(() => undefined);
  return {
    stream,
    streams: [{ stream, access: "public", append: "nobody" }],
    findExposure: (name) => {
      // Nobody publishes but the API, which writes to PostgreSQL too.
      if (name === events.name) return { channel: events, access: "public", publish: "nobody" };
      if (isNotificationChannel(name)) return { channel: notifications.open(name), access: "token", publish: "nobody" };
      return undefined;
    },
  };
}
