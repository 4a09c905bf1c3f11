// A feed as a process of its own, so that killing it is what it is in earnest.
import { openFeedSite } from "./feed-site.ts";

const { VALKEY_URL = "", DATABASE_URL = "", FEED_NAME = "", PORT = "", HISTORY_SIZE = "" } = process.env;

await openFeedSite({
  valkeyUrl: VALKEY_URL,
  postgresUrl: DATABASE_URL,
  name: FEED_NAME,
  port: Number(PORT),
  historySize: Number(HISTORY_SIZE),
  logError: (message) => console.error(message),
});
process.send?.("listening");
// The test has died, however it did.
process.on("disconnect", () => process.exit());
