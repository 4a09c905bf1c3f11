import type { Keyline } from "keyline";
import type { Audited } from "./act/audited.ts";
import type { Tasks } from "./act/tasks.ts";
import type { Shapes } from "./library/shapes.ts";
import type { HealthWatch } from "./operations/health-watch.ts";
import type { LossWatch } from "./operations/loss-watch.ts";
import type { LiveFeed } from "./live/live-feed.ts";
import type { LogError } from "./log-error.ts";
import type { Payloads } from "./redact/payloads.ts";
import type { Redactor } from "./redact/redactor.ts";

/** What all routes work with. */
export interface Desk {
  readonly keyline: Keyline;
  readonly title: string;
  readonly shapes: Shapes;
  readonly health: HealthWatch;
  readonly losses: LossWatch;
  readonly redactor: Redactor;
  readonly payloads: Payloads;
  readonly audited: Audited;
  readonly tasks: Tasks;
  readonly live: LiveFeed;
  readonly logError: LogError;
}
