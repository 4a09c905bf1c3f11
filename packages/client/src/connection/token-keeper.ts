import { ClientError } from "../client-error.ts";
import { Backoff } from "../runtime/backoff.ts";
import { startDeadline } from "../runtime/deadline.ts";
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
    const deadline = startDeadline(environment, longestFetchMs);
    try {
      const token = await Promise.race([source(), deadline.passed]);
      if (token === undefined) throw new Error(`it did not answer within ${longestFetchMs} ms`);
      return token;
    } catch (cause) {
      throw new ClientError("TOKEN_UNAVAILABLE", `The token function failed and is called again later: ${String(cause)}`, { cause });
    } finally {
      deadline.end();
    }
  }

  /** Presents a token. Resolves with how long it lives, or null when it has no end. */
  async present(link: Link, token: string): Promise<number | null> {
    const answer = await link.request({ type: "token", token });
    return answer.type === "token" ? answer.expiresInMs : null;
  }

  /** Replaces the token ahead of its end, again and again, until the link ends. */
  async keepFresh(link: Link, expiresInMs: number | null): Promise<void> {
    const backoff = new Backoff(this.#parts.environment.random);
    let life = expiresInMs;
    let waitMs = refreshAfter(life);
    while (await this.#outlasts(link, waitMs)) {
      try {
        const token = await this.fetch();
        life = await this.present(link, token);
        waitMs = refreshAfter(life);
        backoff.reset();
      } catch (error) {
        if (link.isEnded) return;
        this.#parts.onError(error as ClientError);
        waitMs = backoff.next();
      }
    }
  }

  /** Whether the link lives on for `ms`. */
  async #outlasts(link: Link, ms: number): Promise<boolean> {
    const deadline = startDeadline(this.#parts.environment, ms);
    await Promise.race([deadline.passed, link.ended]);
    deadline.end();
    return !link.isEnded;
  }
}

function refreshAfter(life: number | null): number {
  return life === null ? Infinity : Math.max(shortestWaitMs, life - Math.min(longestMarginMs, life / 5));
}
