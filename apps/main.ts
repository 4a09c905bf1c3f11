// `npm start`: the reference applications with their stores and workers, on one origin.
import { once } from "node:events";
import { createServer } from "node:net";
import { EmbeddedError } from "@keyline/embedded";
import type { FastifyInstance } from "fastify";
import { KeylineError } from "keyline";
import pg from "pg";
import { registerFeed } from "./feed/server/feed.ts";
import { registerReviews } from "./reviews/server/reviews.ts";
import { registerShop } from "./shop/server/shop.ts";
import { registerConsole } from "./site/console.ts";
import { registerGateway } from "./site/gateway.ts";
import { ownNames, ownOrigins } from "./site/own-origins.ts";
import { SettingError } from "./site/setting-error.ts";
import { createSite } from "./site/site.ts";
import { openStores, type Stores } from "./site/stores.ts";
import { Tokens } from "./site/tokens.ts";
import { registerStart } from "./start/server/start.ts";

const host = process.env["HOST"] || "127.0.0.1";
const wantedPort = Number(process.env["PORT"] || 3000);
const loopback = new Set(["127.0.0.1", "::1", "localhost"]);
const closeTimeoutMs = 20_000;

const say = (message: string): void => console.log(message);
const logError = (message: string): void => console.error(message);

interface Running {
  stores?: Stores;
  site?: FastifyInstance;
}

const running: Running = {};
let closing: { readonly startedAt: number } | undefined;

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void stopOn(signal));

try {
  await start();
} catch (error) {
  if (!closing) {
    logError(explain(error));
    await close();
    process.exitCode = 1;
  }
}

async function start(): Promise<void> {
  const port = await findPort();
  say("Starting...");
  running.stores = await openStores(process.env, say);
  const { valkey, postgres } = running.stores;
  const stores = { valkeyUrl: valkey.url, postgresUrl: postgres.url, logError };
  const site = createSite({ logError, names: ownNames(host) });
  running.site = site;
  const tokens = new Tokens();
  const shop = await registerShop(site, stores);
  const feed = await registerFeed(site, { ...stores, tokens });
  const reviews = await registerReviews(site, { ...stores, tokens });
  await registerGateway(site, {
    keyline: feed.keyline,
    streams: reviews.streams,
    queues: [shop.queue],
    findExposure: (name) => reviews.findExposure(name) ?? feed.findExposure(name),
    tokens,
    origins: ownOrigins(host, port),
    logError,
  });
  await registerConsole(site, { keyline: shop.keyline, streams: [reviews.stream], logError });
  await registerStart(site);
  await site.listen({ host, port });
  const address = addressOf(port);
  say(`Valkey      ${valkey.description}`);
  say(`PostgreSQL  ${postgres.description}`);
  say("Keyline     queue orders with 2 workers, each a process of its own; the feed's channels; simulated weather.*; stream Reviews");
  say(`Start       ${address}/`);
  say(`Gateway     ${address}/v1, described by ${address}/openapi.json`);
  say(`Shop        ${address}/shop`);
  say(`Feed        ${address}/feed`);
  say(`Reviews     ${address}/reviews`);
  say(`Metrics     ${address}/metrics, for this machine alone: of this process, and how queues and stores stand`);
  say(`            ${address}/metrics/targets names those of the workers, as Prometheus' http_sd_configs ask for them`);
  say(`Console     ${address}/console, for this machine alone`);
  if (!loopback.has(host)) say("There is no login: whoever can reach this machine can use all of it but the console.");
  say("Ctrl-C stops all of it.");
}

/** Before the stores are started, which takes a few seconds; and the gateway has to know the address that its pages come from. */
async function findPort(): Promise<number> {
  if (!Number.isInteger(wantedPort) || wantedPort < 0 || wantedPort > 65_535) {
    throw new SettingError(`PORT is ${process.env["PORT"]}, which is no port`);
  }
  const probe = createServer();
  probe.listen({ host, port: wantedPort });
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  return typeof address === "object" && address ? address.port : wantedPort;
}

async function stopOn(signal: NodeJS.Signals): Promise<void> {
  if (closing) {
    // A terminal's Ctrl-C arrives twice: from the terminal itself, and handed on by the process that started this one.
    if (performance.now() - closing.startedAt > 1_000) process.exit(130);
    return;
  }
  closing = { startedAt: performance.now() };
  say(signal === "SIGINT" ? "\nStopping..." : "Stopping...");
  setTimeout(() => process.exit(1), closeTimeoutMs).unref();
  try {
    await close();
    say("Stopped.");
    process.exit(0);
  } catch (error) {
    logError(explain(error));
    process.exit(1);
  }
}

/** The site first: its workers need the stores to give back what they hold. */
async function close(): Promise<void> {
  try {
    await running.site?.close();
  } finally {
    await running.stores?.close();
  }
}

function addressOf(port: number): string {
  const name = host === "127.0.0.1" || host === "0.0.0.0" || host === "::" ? "localhost" : host;
  return `http://${name}:${port}`;
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") return `Port ${wantedPort} is in use: stop what uses it, or set PORT to another one.`;
  if (code === "EACCES") return `Port ${wantedPort} needs more rights than this process has: set PORT to one above 1023.`;
  if (code === "ECONNREFUSED") return `DATABASE_URL: nobody answers there (${error.message}).`;
  if (error instanceof pg.DatabaseError) return `DATABASE_URL: ${error.message}.`;
  if (error instanceof SettingError || error instanceof EmbeddedError || error instanceof KeylineError) return error.message;
  return error.stack ?? error.message;
}
