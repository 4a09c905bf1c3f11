/*
 * One process of the soak: `node role.ts '<settings>'`. SIGTERM stops it in order; it then exits with 0. What it does, and what comes
 * of that, is in its history.
 */
import { consume } from "./roles/consumer.ts";
import { produce } from "./roles/producer.ts";
import { subscribe } from "./roles/subscriber.ts";
import { work } from "./roles/worker.ts";
import { openSite, type RoleSettings } from "./site.ts";
import { watchStalls } from "./stalls.ts";

const site = openSite(JSON.parse(process.argv[2] ?? "{}") as RoleSettings);
const stopping = new AbortController();
process.once("SIGTERM", () => stopping.abort());
const stopped = new Promise<void>((resolve) => stopping.signal.addEventListener("abort", () => resolve()));

const stopWatching = watchStalls(site.history);

switch (site.settings.role) {
  case "producer":
    await produce(site, stopping.signal);
    break;
  case "worker":
    work(site);
    await stopped;
    break;
  case "consumer":
    consume(site);
    await stopped;
    break;
  case "subscriber":
    await subscribe(site, stopping.signal);
    break;
}
await site.keyline.close();
stopWatching();
process.exit(0);
