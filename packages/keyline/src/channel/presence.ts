import type { Door } from "../runtime/door.ts";
import type { Duty } from "../runtime/duty.ts";
import { KeylineError, toError } from "../runtime/errors.ts";
import { toJson } from "../runtime/json.ts";
import type { Logger } from "../runtime/logger.ts";
import { checkOptionNames } from "../runtime/options.ts";
import { delay } from "../runtime/waiting.ts";
import { explainSend } from "../valkey/client/faults.ts";
import type { PresenceSet } from "../valkey/channel/presence-set.ts";
import type { Subscriptions } from "../valkey/channel/subscriptions.ts";
import { toMember, type Member, type PresenceListener, type PresenceWatch } from "./presence-member.ts";
import { PresenceView } from "./presence-view.ts";
import { asRead } from "../valkey/client/as-read.ts";

export interface EnterOptions {
  /** What others see of the member: JSON of at most 4 KiB. */
  readonly info?: unknown;
}

const enterOptionNames = new Set<string>(["info"] satisfies (keyof EnterOptions)[]);

interface PresenceSetup {
  readonly set: PresenceSet;
  readonly subscriptions: () => Subscriptions;
  readonly logger: Logger;
  readonly leaseMs: number;
  /** Has this presence in it while somebody is here through it, or watches. */
  readonly busy: Set<Presence>;
  readonly door: Door;
}

const maxInfoBytes = 4_096;
const maxMemberLength = 200;
const readyWithinMs = 5_000;

/**
 * Who is here on a channel. A member stays as long as a process answers for it, which renews its lease every few seconds: when one dies,
 * those who were only with it leave when the lease (ten seconds) ends.
 */
export class Presence implements Duty {
  /** Held, so that it is not forgotten, and made again with another presence, as long as there is this one. */
  readonly #channel: { readonly name: string };
  readonly #setup: PresenceSetup;
  /** Those this process answers for: how often each entered, and what it says of itself. */
  readonly #entered = new Map<string, { times: number; infoJson: string }>();
  /** Those whose leaving could not be told yet. */
  readonly #leaving = new Set<string>();
  #view: PresenceView | undefined;
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;
  #changing: Promise<unknown> = Promise.resolve();

  /** @internal */
  constructor(channel: { readonly name: string }, setup: PresenceSetup) {
    this.#channel = channel;
    this.#setup = setup;
  }

  /**
   * Somebody is here until `leave` is called. Who enters several times, as with several open windows, is here until it left as often.
   * Throws INVALID_NAME, NOT_SERIALIZABLE, PAYLOAD_TOO_LARGE, VALKEY_UNAVAILABLE.
   *
   * @example
   * const presence = await news.presence.enter("user:17", { info: { name: "Ada" } });
   * await presence.leave();
   */
  enter(member: string, options: EnterOptions = {}): Promise<{ leave(): Promise<void> }> {
    return this.#setup.door.accept(() => this.#enterAs(member, options));
  }

  async #enterAs(member: string, options: EnterOptions): Promise<{ leave(): Promise<void> }> {
    checkOptionNames("enter", options, enterOptionNames);
    const { info = null } = options;
    checkMember(member);
    const infoJson = toJson(`presence on channel ${this.#channel.name}`, info, maxInfoBytes);
    const known = this.#entered.get(member);
    if (known) {
      known.times++;
      known.infoJson = infoJson;
    } else {
      this.#entered.set(member, { times: 1, infoJson });
    }
    this.start();
    try {
      await this.#inTurn(() => this.#enter([{ member, infoJson }]));
    } catch (error) {
      // It may have been entered all the same.
      if (this.#count(member)) this.#leaving.add(member);
      throw error;
    } finally {
      this.start();
    }
    let hasLeft = false;
    return {
      leave: async () => {
        if (hasLeft) return;
        hasLeft = true;
        await this.#setup.door.follow(this.#leave(member));
      },
    };
  }

  /** Everybody who is here now, on all processes. */
  members(): Promise<Member[]> {
    const { door, set } = this.#setup;
    return door.accept(async () => {
      await set.connection.ensureReady(readyWithinMs);
      return (await asRead(set.list())).map(toMember);
    });
  }

  /**
   * Tells who joins and who leaves, and knows who is here. Goes on by itself after reconnects, with what has changed meanwhile.
   *
   * @example
   * const watch = await news.presence.watch(({ kind, member }) => console.log(member, kind));
   * console.log([...watch.members.keys()]);
   */
  async watch(listener: PresenceListener): Promise<PresenceWatch> {
    this.#setup.door.checkOpen();
    await this.#setup.set.connection.ensureReady(readyWithinMs);
    const { set, subscriptions, logger, leaseMs } = this.#setup;
    const view = (this.#view ??= new PresenceView({ set, subscriptions: subscriptions(), logger, lookEveryMs: leaseMs / 2 }));
    // A function of its own for each watch, should two of them be given the same listener.
    const own: PresenceListener = (change) => listener(change);
    view.add(own);
    this.start();
    const close = (): void => {
      if (view.remove(own) > 0 || this.#view !== view) return;
      view.close();
      this.#view = undefined;
    };
    try {
      await view.begun;
    } catch (error) {
      close();
      throw error;
    }
    return { members: view.members, close };
  }

  start(): void {
    this.#setup.busy.add(this);
    this.#loop ??= this.#run(this.#stopping.signal);
  }

  /** Everybody this process answers for leaves. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#view?.close();
    await this.#loop;
    await this.#changing;
    const { set } = this.#setup;
    const members = [...this.#entered.keys(), ...this.#leaving];
    this.#entered.clear();
    if (set.connection.isReady) await Promise.allSettled(members.map((member) => set.leave(member)));
  }

  async #leave(member: string): Promise<void> {
    if (!this.#count(member)) return;
    this.#leaving.add(member);
    await this.#tellLeaving(member);
  }

  /** What cannot be told now is told with the next renewal. */
  async #tellLeaving(member: string): Promise<void> {
    try {
      await this.#inTurn(async () => {
        // Somebody entered again while this waited for its turn.
        if (!this.#entered.has(member)) await this.#setup.set.leave(member);
        this.#leaving.delete(member);
      });
    } catch (error) {
      this.#setup.logger.debug({ channel: this.#channel.name, error: toError(error).message }, "a member's leaving could not be told yet");
    }
  }

  get #isIdle(): boolean {
    return this.#entered.size === 0 && this.#leaving.size === 0 && !this.#view;
  }

  /** One time less; true when that was the last. */
  #count(member: string): boolean {
    const known = this.#entered.get(member);
    if (!known || --known.times > 0) return false;
    this.#entered.delete(member);
    return true;
  }

  async #enter(members: readonly { readonly member: string; readonly infoJson: string }[]): Promise<void> {
    const { set } = this.#setup;
    await set.connection.ensureReady(readyWithinMs);
    try {
      await set.enter(members);
    } catch (error) {
      throw explainSend(error, `The connection to Valkey broke while a member entered channel ${this.#channel.name}: enter again`);
    }
  }

  /** One change after another: an entering that comes late must not undo a leaving. */
  #inTurn(change: () => Promise<void>): Promise<void> {
    const turn = this.#changing.then(change);
    this.#changing = turn.catch(() => undefined);
    return turn;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(this.#setup.leaseMs / 4, signal);
      if (signal.aborted) return;
      for (const member of this.#leaving) await this.#tellLeaving(member);
      if (this.#isIdle) {
        this.#loop = undefined;
        this.#setup.busy.delete(this);
        return;
      }
      if (this.#entered.size === 0) continue;
      try {
        // In turn, so that all who entered are there when they are counted.
        await this.#inTurn(async () => {
          if (await this.#setup.set.beat(this.#entered.size)) return;
          // Valkey lost them, or some, or this process was too late.
          await this.#enter([...this.#entered].map(([member, { infoJson }]) => ({ member, infoJson })));
        });
      } catch (error) {
        this.#setup.logger.debug({ channel: this.#channel.name, error: toError(error).message }, "presence could not be renewed yet");
      }
    }
  }
}

function checkMember(member: string): void {
  if (typeof member === "string" && member.length > 0 && member.length <= maxMemberLength) return;
  throw new KeylineError("INVALID_NAME", `${JSON.stringify(member)} is no member: use a text of 1 to ${maxMemberLength} characters`);
}
