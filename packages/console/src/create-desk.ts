import { Audited } from "./act/audited.ts";
import { Tasks } from "./act/tasks.ts";
import type { ConsoleOptions } from "./console-options.ts";
import type { Desk } from "./desk.ts";
import type { Outages } from "./library/patience.ts";
import { Shapes } from "./library/shapes.ts";
import { findSource } from "./live/find-source.ts";
import { LiveFeed } from "./live/live-feed.ts";
import type { LogError } from "./log-error.ts";
import { HealthWatch } from "./operations/health-watch.ts";
import { LossWatch } from "./operations/loss-watch.ts";
import { Payloads } from "./redact/payloads.ts";
import { Redactor } from "./redact/redactor.ts";

/** What all routes work with. Throws for rules of redaction that are none. */
export function createDesk(options: ConsoleOptions): Desk {
  const { keyline, title = "Keyline", redact = [], logger } = options;
  const redactor = new Redactor(redact);
  // Names and addresses may have something in them too.
  const hideIn = (details: object): object => redactor.value(details) as object;
  const logError: LogError = (error, what, details = {}) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    logger?.error({ ...hideIn(details), error: redactor.text(text) }, what);
  };
  const health = new HealthWatch(keyline);
  // What is written down in PostgreSQL does not hang on Valkey.
  const ofRecord: Outages = { isAway: (store) => store === "postgres" && health.isAway(store) };
  const shapes = new Shapes(options, health);
  const desk: Desk = {
    keyline,
    title,
    shapes,
    health,
    losses: new LossWatch(shapes, health),
    redactor,
    payloads: new Payloads(redactor),
    audited: new Audited({ audit: keyline.audit, redactor, outages: ofRecord, logError }),
    tasks: new Tasks(),
    live: new LiveFeed({ find: (topic) => findSource(desk, topic), logError }),
    logError,
  };
  return desk;
}
