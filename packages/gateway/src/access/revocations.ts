/*
 * Revoked tokens, known to all gateways. Each revocation is a message of a channel with history, which lives as long as a token may:
 * a gateway that starts reads them all before it accepts a token, and one that runs hears of a new one at once.
 */
import type { Channel, Keyline, Logger, Message, Subscription } from "keyline";
import { z } from "zod";
import { Problem } from "../server/problem.ts";
import type { Token } from "./token.ts";

/** One token by its `jti`, or every token that a subject was given so far. */
export type Revocation = { readonly jti: string } | { readonly sub: string };

const channelName = "keyline:gateway:revocations";
const mostRevocations = 100_000;
const pageSize = 1_000;
const pauseMs = 1_000;

const notice = z.union([z.object({ jti: z.string() }), z.object({ sub: z.string() })]);

// A Keyline gives options to a channel once; two gateways on it share the object.
const channels = new WeakMap<Keyline, Channel<Revocation>>();

export class Revocations {
  readonly #channel: Channel<Revocation>;
  readonly #logger: Logger;
  readonly #lifeMs: number;
  readonly #onRevoked: () => void;
  /** jti -> until when it is kept. */
  readonly #tokens = new Map<string, number>();
  /** sub -> tokens issued up to then are void, in milliseconds. */
  readonly #subjects = new Map<string, number>();
  #subscription: Subscription | undefined;
  #isKnown = false;
  #retry: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(setup: { readonly keyline: Keyline; readonly logger: Logger; readonly lifeMs: number; readonly onRevoked: () => void }) {
    this.#logger = setup.logger;
    this.#lifeMs = setup.lifeMs;
    this.#onRevoked = setup.onRevoked;
    const known = channels.get(setup.keyline);
    this.#channel =
      known ?? setup.keyline.channel<Revocation>(channelName, { history: { size: mostRevocations, ttl: Math.max(1_000, setup.lifeMs) } });
    channels.set(setup.keyline, this.#channel);
  }

  /** Reads what was revoked, again and again until Valkey answers. Until then no token is accepted. */
  async start(): Promise<void> {
    if (this.#isStopped) return;
    try {
      const cursor = await this.#readKept();
      await this.#subscription?.close();
      this.#subscription = this.#channel.subscribe((message) => this.#hear(message), { since: cursor });
      await this.#subscription.ready;
      this.#isKnown = true;
      this.#onRevoked();
    } catch (error) {
      if (this.#isStopped) return;
      this.#logger.warn({ error }, "the revoked tokens cannot be read: no token is accepted until they are");
      this.#retry = setTimeout(() => void this.start(), pauseMs).unref();
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    await this.#subscription?.close();
  }

  /** Resolves when every gateway that is connected has been told. */
  async revoke(revocation: Revocation): Promise<void> {
    const parsed = notice.parse(revocation);
    await this.#channel.publish(parsed);
  }

  /** Throws a 401 problem for a token that was revoked, and 503 while that is not known. */
  check(token: Token): void {
    if (!this.#isKnown) throw new Problem({ title: "Tokens cannot be checked at the moment", status: 503, code: "VALKEY_UNAVAILABLE" }, 1);
    if (this.isRevoked(token)) throw new Problem({ title: "The token was revoked", status: 401, code: "TOKEN_REVOKED" });
  }

  isRevoked({ id, subject, issuedAt }: Token): boolean {
    if (id !== undefined && this.#tokens.has(id)) return true;
    const voidUntil = this.#subjects.get(subject);
    // `iat` counts whole seconds: a token of the same second may be older than the revocation, and is refused.
    return voidUntil !== undefined && (issuedAt === undefined || issuedAt <= voidUntil);
  }

  async #readKept(): Promise<string> {
    for (let since = "earliest"; ;) {
      const { messages, cursor } = await this.#channel.history({ since, limit: pageSize });
      for (const message of messages) this.#note(message);
      if (messages.length === 0 || cursor === since) return cursor;
      since = cursor;
    }
  }

  #hear(message: Message): void {
    this.#note(message);
    this.#forgetOld();
    this.#onRevoked();
  }

  #note({ data, at }: Message): void {
    const { data: revocation } = notice.safeParse(data);
    if (!revocation) return;
    if ("jti" in revocation) this.#tokens.set(revocation.jti, at + this.#lifeMs);
    else this.#subjects.set(revocation.sub, Math.max(at, this.#subjects.get(revocation.sub) ?? 0));
  }

  #forgetOld(): void {
    const now = Date.now();
    for (const [id, until] of this.#tokens) {
      if (until > now) break;
      this.#tokens.delete(id);
    }
    for (const [subject, at] of this.#subjects) if (at + this.#lifeMs < now) this.#subjects.delete(subject);
  }
}
