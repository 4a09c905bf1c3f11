import { toSocketUrl } from "./connection/socket-url.ts";
import type { TokenSource } from "./connection/token-keeper.ts";
import { Live } from "./live.ts";
import { surroundings } from "./runtime/environment.ts";

export interface ConnectOptions {
  /**
   * Gets a token for this user: called before each connection and again before the token ends. When it rejects it is called again
   * later. Without it, only public channels can be subscribed.
   */
  readonly token?: TokenSource | undefined;
}

/**
 * Connects to the gateway at `url` and stays connected until `close`; in a page, `url` may be relative to it. Returns at once, throws
 * INVALID_OPTION.
 *
 * @example
 * const live = connect("https://example.com", { token: async () => (await fetch("/token")).text() });
 */
export function connect(url: string, { token }: ConnectOptions = {}): Live {
  return new Live({ url: toSocketUrl(url), token, environment: surroundings });
}
