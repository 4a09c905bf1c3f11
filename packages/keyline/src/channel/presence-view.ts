import { clearInterval, setInterval } from "../runtime/clock.ts";
import { toError, type KeylineError } from "../runtime/errors.ts";
import { parseJson } from "../runtime/json.ts";
import type { Logger } from "../runtime/logger.ts";
import type { PresenceSet } from "../valkey/channel/presence-set.ts";
import type { PubSubListener } from "../valkey/channel/subscriber.ts";
import type { Subscriptions } from "../valkey/channel/subscriptions.ts";
import { toMember, type Member, type PresenceChange, type PresenceListener } from "./presence-member.ts";

interface PresenceViewSetup {
  readonly set: PresenceSet;
  readonly subscriptions: Subscriptions;
  readonly logger: Logger;
  readonly lookEveryMs: number;
}

/**
 * What one process knows about who is on a channel. It subscribes first and lists afterwards: what changes in between is told after the
 * list, and telling a thing twice changes nothing. A list every few seconds finds those whose process died, and whatever a broken
 * connection kept back.
 */
export class PresenceView implements PubSubListener {
  readonly #setup: PresenceViewSetup;
  readonly #members = new Map<string, Member>();
  readonly #listeners = new Set<PresenceListener>();
  readonly #begun = Promise.withResolvers<void>();
  readonly #timer: NodeJS.Timeout;
  #early: PresenceChange[] | undefined;
  #isClosed = false;
  #hasBegun = false;

  constructor(setup: PresenceViewSetup) {
    this.#setup = setup;
    // Whoever watches waits for it.
    this.#begun.promise.catch(() => undefined);
    setup.subscriptions.subscribe(setup.set.keys.presenceEvents, this);
    this.#timer = setInterval(() => void this.#list(), setup.lookEveryMs).unref();
  }

  get members(): ReadonlyMap<string, Member> {
    return this.#members;
  }

  /** Resolves when the members are known. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  add(listener: PresenceListener): void {
    this.#listeners.add(listener);
  }

  /** Returns how many are left. */
  remove(listener: PresenceListener): number {
    this.#listeners.delete(listener);
    return this.#listeners.size;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#setup.subscriptions.unsubscribe(this.#setup.set.keys.presenceEvents);
    this.#begun.resolve();
  }

  onConnected(): void {
    void this.#list();
  }

  onDisconnected(): void {
    // The list after the next connect tells what was missed.
  }

  onRefused(fault: KeylineError): void {
    if (!this.#hasBegun) this.#begun.reject(fault);
  }

  onMessage(text: string): void {
    try {
      const change = parseJson(text) as PresenceChange;
      if (this.#early) this.#early.push(change);
      else this.#apply(change);
    } catch (error) {
      this.#setup.logger.warn({ error: toError(error).message }, "a change of presence that is not JSON was skipped");
    }
  }

  async #list(): Promise<void> {
    if (this.#early || this.#isClosed) return;
    const early: PresenceChange[] = (this.#early = []);
    try {
      await this.#setup.set.connection.ensureReady(this.#setup.lookEveryMs);
      const present = new Map((await this.#setup.set.list()).map((found) => [found.member, toMember(found)]));
      for (const known of this.#members.values()) if (!present.has(known.member)) this.#apply({ kind: "left", ...known });
      for (const member of present.values()) {
        // Members that are here at the beginning did not join.
        if (this.#hasBegun) this.#apply({ kind: "joined", ...member });
        else this.#members.set(member.member, member);
      }
      this.#hasBegun = true;
      this.#begun.resolve();
    } catch (error) {
      this.#setup.logger.debug({ error: toError(error).message }, "who is here could not be listed yet");
    }
    this.#early = undefined;
    for (const change of early) this.#apply(change);
  }

  #apply({ kind, member, info, since }: PresenceChange): void {
    const isKnown = this.#members.has(member);
    if (kind === "joined") this.#members.set(member, { member, info, since });
    else this.#members.delete(member);
    if (isKnown === (kind === "joined") || this.#isClosed) return;
    for (const listener of this.#listeners) {
      try {
        const result: unknown = listener({ kind, member, info, since });
        if (result instanceof Promise) result.catch((error: unknown) => this.#noteFailure(error));
      } catch (error) {
        this.#noteFailure(error);
      }
    }
  }

  #noteFailure(error: unknown): void {
    this.#setup.logger.error({ error: toError(error).message }, "a listener of presence threw");
  }
}
