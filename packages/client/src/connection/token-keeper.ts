import { ClientError } from "../client-error.ts";
import { Backoff } from "../runtime/backoff.ts";
import { within } from "../runtime/deadline.ts";
import type { Environment } from "../runtime/environment.ts";
import type { Link } from "./link.ts";

/** Where tokens come from: called before every connection, and again before the token ends. */
export type TokenSource = () => string | Promise<string>;

interface TokenKeeperParts {
  readonly source: TokenSource;
  readonly environment: Environment;
  onError(error: ClientError): void;
}

const longestFetchMs = 20_000;
const shortestWaitMs = 1_000;
const longestMarginMs = 60_000;

/**
 * Gets tokens, and replaces the one of a connection before it ends: after four fifths of its life, or a minute before its end,
 * whichever is later. Subscriptions do not notice.
 */
export class TokenKeeper {
  readonly #parts: TokenKeeperParts;

  constructor(parts: TokenKeeperParts) {
    this.#parts = parts;
  }

  /** A token, or TOKEN_UNAVAILABLE when the source rejects or does not answer within 20 s. */
  async fetch(): Promise<string> {
    const { source, environment } = this.#parts;
    try {
      const token = await within(environment, { ms: longestFetchMs, wait: Promise.resolve(source()) });
      if (token === undefined) throw new Error(`no answer within ${longestFetchMs} ms`);
      return token;
    } catch (cause) {
      throw new ClientError("TOKEN_UNAVAILABLE", `The token function failed, and is called again: ${String(cause)}`, { cause });
    }
  }

  /** Presents a token. Resolves with how long it lives, or null when it has no end. */
  async present(link: Link, token: string): Promise<number | null> {
    return (await link.request({ type: "token", token })).expiresInMs;
  }

  /** Replaces the token ahead of its end, again and again, until the link ends. */
  async keepFresh(link: Link, expiresInMs: number | null): Promise<void> {
    const backoff = new Backoff(this.#parts.environment);
    let waitMs = refreshAfter(expiresInMs);
    while (!(await within(this.#parts.environment, { ms: waitMs, wait: link.ended }))) {
      try {
        waitMs = refreshAfter(await this.present(link, await this.fetch()));
        backoff.reset();
      } catch (error) {
        if (link.isEnded) return;
        this.#parts.onError(error as ClientError);
        waitMs = backoff.next();
      }
    }
  }
}

function refreshAfter(life: number | null): number {
  return life === null ? Infinity : Math.max(shortestWaitMs, life - Math.min(longestMarginMs, life / 5));
}
