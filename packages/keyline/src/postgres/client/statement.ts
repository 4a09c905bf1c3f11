import type { QueryConfig } from "pg";
import { performance } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import { isForgotten } from "./failures.ts";

/** A statement of Keyline's own: prepared once on each connection under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  /** It reads a bounded part, so an answer that takes longer than a few seconds is not coming. */
  readonly isQuick?: true;
}

interface TimedQuery extends QueryConfig {
  /** Milliseconds after which `pg` gives up. Its types do not know it yet. */
  readonly query_timeout: number;
}

// An answer that takes longer than this is not coming: the peer is gone and no reset came, or the server hangs.
const answerWithinMs = 30_000;
const quickWithinMs = 10_000;

/** A statement of Keyline's own with a deadline, for a connection that may be half open. */
export function timed(query: QueryConfig, withinMs = answerWithinMs): QueryConfig {
  const config: TimedQuery = { ...query, query_timeout: withinMs };
  return config;
}

/** A prepared statement is not what its connection thinks: nothing was done, and it can be sent again. */
export class StatementForgotten extends Error {
  override readonly name = "StatementForgotten";
}

const firstPauseMs = 10_000;
const longestPauseMs = 3_600_000;

/**
 * Whether statements are sent by names, which spares the server their parsing. Behind a pooler that gives each transaction another session, and after
 * DISCARD ALL, names mean nothing: then statements go by their texts for a while, each time for twice as long.
 */
export class StatementNames {
  readonly #logger: Logger;
  #pauseMs = firstPauseMs;
  #pausedUntil = -Infinity;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  query({ name, text, isQuick }: Statement, values: readonly unknown[]): QueryConfig {
    const query = { text, values: [...values] };
    return timed(performance.now() < this.#pausedUntil ? query : { name, ...query }, isQuick ? quickWithinMs : answerWithinMs);
  }

  /** True where this error says that a name means nothing. */
  noteFailure(error: unknown): boolean {
    if (!isForgotten(error)) return false;
    // Others may fail by names that were sent before the pause began.
    if (performance.now() < this.#pausedUntil) return true;
    this.#pausedUntil = performance.now() + this.#pauseMs;
    this.#logger.info(
      { pauseMs: this.#pauseMs },
      "PostgreSQL has forgotten prepared statements, as behind a pooler or after DISCARD ALL: they are sent by their texts for a while",
    );
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
    return true;
  }
}
