import type { ClientError } from "../client-error.ts";
import type { Environment } from "../runtime/environment.ts";
import type { Link } from "./link.ts";

/** What outlives connections: it is asked of the gateway on each of them, until it ends. */
export interface Resumable {
  /** Asks, if there is a connection. To be called on every new one. */
  ask(): void;
  /** For good; without an error by its owner. */
  end(error?: ClientError): void;
}

/** What everything that lasts is made with. */
export interface ResumableParts {
  readonly environment: Environment;
  /** All that is asked on the next connection. */
  readonly resumables: Set<Resumable>;
  /** The link to the gateway while there is one. */
  link(): Link | undefined;
  /** Something ended otherwise than by its owner. */
  onError(error: ClientError): void;
}
