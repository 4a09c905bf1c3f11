/*
 * Revoked tokens, known to all gateways. Each revocation is a message of a channel with history, which lives as long as a token may:
 * a gateway that starts reads them all before it accepts a token, and one that runs hears of a new one at once.
 *
 * When Valkey has lost them, the gateways that run still know them, and write them again, with the time at which each was revoked. Each waits
 * for a moment of its own, and leaves out what another one has written by then.
 */
import { messageOf } from "../server/message-of.ts";
import type { Channel, Gap, Keyline, Logger, Message, Subscription } from "keyline";
import { z } from "zod";
import { Problem } from "../server/problem.ts";
import type { Token } from "./token.ts";

/** One token by its `jti`, or every token that a subject was given so far. */
export type Revocation = { readonly jti: string } | { readonly sub: string };

const channelName = "keyline:gateway:revocations";
const mostRevocations = 100_000;
const pageSize = 1_000;
const pauseMs = 1_000;
const forgetEveryMs = 60_000;

/** `at` is there where a revocation is written again: otherwise it happened when it was published. */
const at = z.number().optional();
const notice = z.union([z.object({ jti: z.string(), at }), z.object({ sub: z.string(), at })]);

type Notice = z.output<typeof notice>;

// A Keyline gives options to a channel once; two gateways on it share the object.
const channels = new WeakMap<Keyline, Channel<Notice>>();

export class Revocations {
  readonly #channel: Channel<Notice>;
  readonly #logger: Logger;
  readonly #lifeMs: number;
  readonly #onRevoked: () => void;
  /** jti -> when it was revoked, in milliseconds. */
  readonly #tokens = new Map<string, number>();
  /** sub -> tokens issued up to then are void, in milliseconds. */
  readonly #subjects = new Map<string, number>();
  #subscription: Subscription | undefined;
  #isKnown = false;
  #retry: NodeJS.Timeout | undefined;
  /** What Valkey may have lost, by its text, until somebody has written it again. */
  readonly #lost = new Map<string, Notice>();
  #rewriting: NodeJS.Timeout | undefined;
  #forgetAt = 0;
  #isStopped = false;

  constructor(setup: { readonly keyline: Keyline; readonly logger: Logger; readonly lifeMs: number; readonly onRevoked: () => void }) {
    this.#logger = setup.logger;
    this.#lifeMs = setup.lifeMs;
    this.#onRevoked = setup.onRevoked;
    const known = channels.get(setup.keyline);
    this.#channel =
      known ?? setup.keyline.channel<Notice>(channelName, { history: { size: mostRevocations, ttl: Math.max(1_000, setup.lifeMs) } });
    channels.set(setup.keyline, this.#channel);
  }

  /** Reads what was revoked, again and again until Valkey answers. Until then no token is accepted. */
  async start(): Promise<void> {
    if (this.#isStopped) return;
    try {
      const cursor = await this.#readKept();
      await this.#subscription?.close();
      this.#subscription = this.#channel.subscribe((message) => this.#hear(message), {
        since: cursor,
        onGap: ({ reason }) => this.#noteGap(reason),
      });
      await this.#subscription.ready;
      this.#isKnown = true;
      this.#onRevoked();
    } catch (error) {
      if (this.#isStopped) return;
      this.#logger.warn({ error: messageOf(error) }, "the revoked tokens cannot be read: no token is accepted until they are");
      this.#retry = setTimeout(() => void this.start(), pauseMs).unref();
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#rewriting);
    await this.#subscription?.close();
  }

  /** Resolves when every gateway that is connected has been told. */
  async revoke(revocation: Revocation): Promise<void> {
    const { at: _, ...parsed } = notice.parse(revocation);
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
    // Not each time: it looks at all of them.
    if (Date.now() >= this.#forgetAt) this.#forgetOld();
    this.#onRevoked();
  }

  #note({ data, at: publishedAt }: Message): void {
    const { data: found } = notice.safeParse(data);
    if (!found) return;
    const at = Math.min(found.at ?? publishedAt, publishedAt);
    if ("jti" in found) this.#tokens.set(found.jti, Math.max(at, this.#tokens.get(found.jti) ?? 0));
    else this.#subjects.set(found.sub, Math.max(at, this.#subjects.get(found.sub) ?? 0));
    this.#lost.delete(nameOf(found));
  }

  /** Valkey has lost the history, or with a restart perhaps its last moments: of both, this gateway has what it heard. */
  #noteGap(reason: Gap["reason"]): void {
    if (reason !== "lost" && reason !== "restarted") return;
    this.#forgetOld();
    for (const [jti, at] of this.#tokens) this.#lost.set(nameOf({ jti }), { jti, at });
    for (const [sub, at] of this.#subjects) this.#lost.set(nameOf({ sub }), { sub, at });
    if (this.#lost.size > 0) this.#rewriteLater();
  }

  #rewriteLater(): void {
    clearTimeout(this.#rewriting);
    this.#rewriting = setTimeout(() => void this.#rewrite(), Math.random() * pauseMs).unref();
  }

  async #rewrite(): Promise<void> {
    try {
      // It shrinks meanwhile, also by what other gateways write.
      for (const [name, lost] of this.#lost) {
        if (this.#isStopped) return;
        await this.#channel.publish(lost);
        this.#lost.delete(name);
      }
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, "revocations that Valkey lost cannot be written again yet");
      if (!this.#isStopped) this.#rewriteLater();
    }
  }

  #forgetOld(): void {
    const now = Date.now();
    for (const times of [this.#tokens, this.#subjects]) {
      for (const [name, at] of times) if (at + this.#lifeMs < now) times.delete(name);
    }
    this.#forgetAt = now + forgetEveryMs;
  }
}

function nameOf(revocation: Revocation): string {
  return "jti" in revocation ? `jti:${revocation.jti}` : `sub:${revocation.sub}`;
}
