import { notAnswered, offline, toError } from "../client-error.ts";
import type { Environment } from "../runtime/environment.ts";
import type { Answers, FrameOf, Refusal } from "./frames.ts";

interface GatewayRequestsParts {
  /** Ends with a slash. */
  readonly url: string;
  readonly environment: Environment;
  /** The gateway's answer ends more than what was asked for. */
  onEnd(closeCode: number): void;
}

/** Why the gateway refuses. */
export type Problem = Pick<Refusal, "code" | "message">;

// EventSource, which accepts nothing but events, is not told of problems.
const accept = "text/event-stream, application/problem+json";
// A token that is missing may be needed for one channel and not for another.
const endsLink = /^TOKEN_(?!MISSING)|DRAINING|GATEWAY_FULL|TOO_MANY_CONNECTIONS/;

/** What goes to a gateway by HTTP: frames that have an answer as requests of their own, and the requests for event streams. */
export class GatewayRequests {
  readonly #parts: GatewayRequestsParts;
  /** Of frames that wait for their answers. */
  readonly #stopping = new AbortController();
  #token: string | undefined;

  constructor(parts: GatewayRequestsParts) {
    this.#parts = parts;
  }

  answer(frame: FrameOf<keyof Answers>, data = "null"): Promise<object> | object {
    switch (frame.type) {
      case "token":
        this.#token = frame.token;
        // The gateway ends the streams of one that has expired.
        return { expiresInMs: null };
      case "publish":
        return this.#post(`channels/${encodeURIComponent(frame.channel)}/messages`, `{"data":${data}}`);
      case "append": {
        const key = frame.idempotencyKey === undefined ? "" : `,"idempotencyKey":${JSON.stringify(frame.idempotencyKey)}`;
        return this.#post(`streams/${encodeURIComponent(frame.stream)}/events`, `{"data":${data}${key}}`);
      }
      case "enter":
      case "watch":
        throw offline();
      default:
        return {};
    }
  }

  send(path: string, init: RequestInit): Promise<Response> {
    const { url, environment } = this.#parts;
    const headers: Record<string, string> = init.body ? { "content-type": "application/json" } : { accept };
    if (this.#token !== undefined) headers["authorization"] = `Bearer ${this.#token}`;
    return environment.fetch(url + path, { ...init, headers, cache: "no-store" });
  }

  /** Why the gateway refuses. What ends more than what was asked for ends the link. */
  async problemOf(response: Response): Promise<Problem | undefined> {
    if (response.ok) return undefined;
    const problem = (await response.json().catch(() => undefined)) as
      { readonly code?: Problem["code"]; readonly title: string; readonly detail?: string } | undefined;
    if (!problem?.code) {
      this.#parts.onEnd(1006);
      return undefined;
    }
    const { code, title, detail = title } = problem;
    if (endsLink.test(code)) this.#parts.onEnd(closeCodeOf(code));
    return { code, message: detail };
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #post(path: string, body: string): Promise<object> {
    const response = await this.send(path, { method: "POST", body, signal: this.#stopping.signal }).catch(() => undefined);
    const problem = response && (await this.problemOf(response));
    if (problem) throw toError(problem);
    if (!response?.ok) throw notAnswered();
    return (await response.json()) as object;
  }
}

/** The code with which a WebSocket would have been closed for this. */
export function closeCodeOf(code: string): number {
  if (code === "TOKEN_REVOKED") return 4403;
  return code.startsWith("TOKEN_") ? 4401 : 1012;
}
