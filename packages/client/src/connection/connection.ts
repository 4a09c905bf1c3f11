import { blocked, ClientError } from "../client-error.ts";
import { Backoff } from "../runtime/backoff.ts";
import { startDeadline, type Deadline } from "../runtime/deadline.ts";
import type { Environment } from "../runtime/environment.ts";
import type { ServerFrame } from "./frames.ts";
import type { Link, LinkEnd } from "./link.ts";
import { Passage } from "./passage.ts";
import { SocketLink } from "./socket-link.ts";
import type { TokenKeeper } from "./token-keeper.ts";

/**
 * Whether the client is connected: `connecting` while it tries, `online` when the gateway has greeted it and taken its token, `offline`
 * between two tries and while the gateway is about to stop, `closed` for good.
 */
export type ConnectionState = "connecting" | "online" | "offline" | "closed";

interface ConnectionParts {
  readonly url: string;
  readonly environment: Environment;
  readonly tokens: TokenKeeper | undefined;
  onState(state: ConnectionState): void;
  onFrame(frame: ServerFrame): void;
  /** Something failed that will be tried again. */
  onError(error: ClientError): void;
  /** The gateway will not have this client any more. */
  onRefused(error: ClientError): void;
}

// The close code of a connection that ended without one.
const abnormal = 1006;
const handshakeMs = 20_000;
// A gateway that takes connections and ends them at once must meet a growing backoff too.
const steadyMs = 5_000;

/**
 * Keeps one connection to the gateway, from `start` to `close`:
 *
 * 1. connecting: a token is fetched, the socket opened, the greeting awaited, the token presented;
 * 2. online: the link may be used, until it ends or the gateway says that it will;
 * 3. offline: waits, for as long as the backoff or the gateway says; less when the network or the page comes back.
 *
 * Where WebSockets do not get through although the gateway answers, event streams stand in, and a WebSocket is tried again every minute.
 *
 * A token that is missing where one is needed, and a revoked one (close codes 4401 without a token function, 4403), are final.
 */
export class Connection {
  readonly #parts: ConnectionParts;
  readonly #backoff: Backoff;
  readonly #passage: Passage;
  readonly #stopListening: () => void;
  #state: ConnectionState = "connecting";
  #settled = Promise.withResolvers<void>();
  #link: Link | undefined;
  /** The wait for the next try. */
  #rest: Deadline | undefined;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.environment);
    this.#passage = new Passage(parts.url, parts.environment);
    this.#stopListening = parts.environment.onWake(() => this.#wake());
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The link while online, else undefined. */
  get link(): Link | undefined {
    return this.#state === "online" && !this.#link?.isEnded ? this.#link : undefined;
  }

  /** Runs until `close`; does not reject. */
  async start(): Promise<void> {
    while (this.#state !== "closed") {
      this.#setState("connecting");
      const end = await this.#connectOnce();
      const error = this.#finalError(end.code);
      if (error) {
        this.close();
        this.#parts.onRefused(error);
      }
      this.#setState("offline");
      await this.#pause(end.retryMs ?? this.#backoff.next());
    }
  }

  /** Resolves when the connection is online or closed, at once when it is. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  close(): void {
    this.#setState("closed");
    this.#stopListening();
    this.#rest?.end();
    this.#link?.end(1000);
  }

  async #connectOnce(): Promise<LinkEnd> {
    const { environment, tokens } = this.#parts;
    const token = await tokens?.fetch().catch((error: ClientError) => this.#parts.onError(error));
    if (this.#state === "closed" || (tokens && token === undefined)) return { code: abnormal };
    const link = this.#passage.restMs > 0 ? await this.#openStandIn() : this.#openSocket((frame) => this.#take(frame));
    if (!link) return { code: abnormal };
    this.#link = link;
    const cancel = environment.after(handshakeMs, () => link.end(abnormal));
    const expiresInMs = await this.#shakeHands(link, token ?? undefined);
    cancel();
    if (link instanceof SocketLink && this.state !== "closed" && (await this.#passage.note(link.isGreeted))) this.#parts.onError(blocked());
    if (link.isEnded) return link.ended;

    const onlineAt = environment.now();
    void tokens?.keepFresh(link, expiresInMs);
    // Offline by now if the gateway is about to stop.
    if (this.#state === "connecting") this.#setState("online");
    const end = await link.ended;
    if (environment.now() - onlineAt >= steadyMs) this.#backoff.reset();
    return end;
  }

  async #openStandIn(): Promise<Link | undefined> {
    const { environment } = this.#parts;
    const passage = this.#passage;
    // Few pages ever need it.
    const standIn = (await passage.isAnswered()) && (await import("./stand-in.ts").catch(() => undefined));
    if (!standIn || this.#state === "closed") return undefined;
    return standIn.openStandIn({ passage, environment, tryOut: () => this.#tryOut(), onFrame: (frame) => this.#take(frame) });
  }

  async #tryOut(): Promise<SocketLink | undefined> {
    const socket = this.#openSocket(() => undefined);
    const cancel = this.#parts.environment.after(handshakeMs, () => socket?.end(abnormal));
    await socket?.hello;
    cancel();
    return socket;
  }

  #openSocket(onFrame: (frame: ServerFrame) => void): SocketLink | undefined {
    const { url, environment, onError } = this.#parts;
    try {
      return new SocketLink({ url, environment, onFrame });
    } catch (cause) {
      // A page that may not connect there, or a runtime without WebSocket.
      onError(new ClientError("INVALID_OPTION", `${url} cannot be opened: ${String(cause)}`, { cause }));
      return undefined;
    }
  }

  /** Resolves with the life of the token when the gateway has taken it, or when the link has ended. */
  async #shakeHands(link: Link, token: string | undefined): Promise<number | null> {
    await link.hello;
    if (token === undefined) return null;
    try {
      return (await this.#parts.tokens?.present(link, token)) ?? null;
    } catch (error) {
      if (!link.isEnded) this.#parts.onError(error as ClientError);
      link.end(4401);
      return null;
    }
  }

  #take(frame: ServerFrame): void {
    // What is asked from now on might not be answered: the link brings messages to its end, and takes no more questions.
    if (frame.type === "draining") this.#setState("offline");
    else this.#parts.onFrame(frame);
  }

  #finalError(code: number): ClientError | undefined {
    if (code === 4403) return new ClientError("TOKEN_REVOKED", "The access was revoked: sign in again");
    if (code === 4401 && !this.#parts.tokens) {
      return new ClientError("TOKEN_MISSING", "The gateway wants a token: pass { token }");
    }
    return undefined;
  }

  #wake(): void {
    this.#passage.wake();
    this.#rest?.end();
    this.#link?.probe();
  }

  async #pause(ms: number): Promise<void> {
    if (this.#state === "closed") return;
    this.#rest = startDeadline(this.#parts.environment, ms);
    await this.#rest.passed;
  }

  #setState(state: ConnectionState): void {
    if (this.#state === state || this.#state === "closed") return;
    if (this.#state === "online") this.#settled = Promise.withResolvers();
    this.#state = state;
    if (state === "online" || state === "closed") this.#settled.resolve();
    this.#parts.onState(state);
  }
}
