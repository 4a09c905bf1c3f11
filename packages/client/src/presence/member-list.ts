import { closed } from "../client-error.ts";
import type { Member, PresenceFrame } from "../connection/frames.ts";
import type { Resumable } from "../connection/resumable.ts";
import { call } from "../runtime/call.ts";
import type { PresenceParts } from "./entrance.ts";
import type { PresenceChange, PresenceWatch } from "./presence.ts";
import { StandingRequest } from "./standing-request.ts";

type Listener = (change: PresenceChange) => void;

/**
 * The members of one channel, while somebody watches. The gateway is watched once for all who watch here. After a new connection the
 * list comes again, and the differences are what has happened meanwhile.
 */
export class MemberList implements Resumable {
  readonly #parts: PresenceParts;
  readonly standing: StandingRequest;
  readonly #watchers = new Set<{ readonly listener: Listener; readonly ready: PromiseWithResolvers<void> }>();
  readonly #members = new Map<string, Member>();
  #isKnown = false;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
    this.standing = new StandingRequest({
      ...parts,
      request: (link) => link.request({ type: "watch", channel: parts.channel }),
      onRefused: (error) => {
        parts.onError(error);
        this.end(error);
      },
    });
  }

  watch(listener: Listener): PresenceWatch {
    const watcher = { listener, ready: Promise.withResolvers<void>() };
    watcher.ready.promise.catch(() => undefined);
    this.#watchers.add(watcher);
    if (this.#isKnown) watcher.ready.resolve();
    else if (this.#watchers.size === 1) this.ask();
    return {
      members: this.#members,
      ready: watcher.ready.promise,
      close: () => {
        if (!this.#watchers.delete(watcher)) return;
        watcher.ready.reject(closed(`The watch of ${this.#parts.channel}`));
        if (this.#watchers.size === 0) this.#stop();
      },
    };
  }

  ask(): void {
    if (this.#watchers.size > 0) this.standing.ask();
  }

  take(frame: PresenceFrame): void {
    if (this.#watchers.size === 0) return;
    if (frame.type === "present") this.#replace(frame.members);
    else if (frame.type === "joined") this.#join(frame);
    else this.#leave(frame.member);
  }

  end(error = closed(`The watch of ${this.#parts.channel}`)): void {
    for (const { ready } of this.#watchers) ready.reject(error);
    this.#watchers.clear();
    this.#forget();
  }

  #replace(members: readonly Member[]): void {
    const isFirst = !this.#isKnown;
    this.#isKnown = true;
    const gone = new Set(this.#members.keys());
    for (const member of members) gone.delete(member.member);
    for (const name of gone) this.#leave(name);
    for (const member of members) this.#join(member, isFirst);
    for (const { ready } of this.#watchers) ready.resolve();
  }

  #join({ member, info, since }: Member, isFirst = false): void {
    const isNew = !isFirst && !this.#members.has(member);
    this.#members.set(member, { member, info, since });
    if (isNew) this.#tell({ kind: "joined", member, info });
  }

  #leave(name: string): void {
    const member = this.#members.get(name);
    if (!member) return;
    this.#members.delete(name);
    this.#tell({ kind: "left", member: name, info: member.info });
  }

  #tell(change: PresenceChange): void {
    for (const { listener } of this.#watchers) call(listener, change);
  }

  #stop(): void {
    const { channel, link } = this.#parts;
    this.#forget();
    void link()
      ?.request({ type: "unwatch", channel })
      .catch(() => undefined);
  }

  #forget(): void {
    this.standing.stop();
    this.#isKnown = false;
    this.#members.clear();
  }
}
