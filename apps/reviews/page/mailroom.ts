import type { Live, Message, Subscription } from "@keyline/client";
import { Attendance } from "../../site/page/attendance.ts";
import { notificationsOf } from "../channel-names.ts";
import type { Notification } from "../notification.ts";
import { recallMailbox, rememberMailbox, type Heard } from "./memory.ts";

export interface MailroomView {
  /** Newest first. */
  readonly heard: readonly Heard[];
  readonly unseen: number;
  /** Grows with each notification that comes while the page is there. */
  readonly rings: number;
  /** The newest notification at the time when it was found out that others are missing. */
  readonly goneAfter: string | undefined;
}

const mostKept = 100;

/**
 * The notifications of one user.
 *
 * 1. What was heard is stored in the browser together with the cursor behind it. A later visit goes on at that cursor: what came in
 *    between arrives first, in order, and is marked as missed.
 * 2. What the channel does not keep any more is announced by a gap, and said. Nothing is lost by it: the timelines of the reviews have
 *    all of it.
 */
export class Mailroom {
  readonly attendance: Attendance;
  readonly #userId: string;
  readonly #listeners = new Set<() => void>();
  #view: MailroomView;
  #cursor: string | undefined;
  #subscription: Subscription | undefined;

  constructor(userId: string) {
    this.#userId = userId;
    const mailbox = recallMailbox(userId);
    this.#cursor = mailbox?.cursor;
    this.attendance = new Attendance({ cameBefore: mailbox !== undefined });
    // The absences of an earlier visit are over.
    const heard = (mailbox?.heard ?? []).map((one) => ({ ...one, missedIn: undefined }));
    this.#view = { heard, unseen: countUnseen(heard), rings: 0, goneAfter: undefined };
  }

  /** For useSyncExternalStore. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly view = (): MailroomView => this.#view;

  open(live: Live): void {
    // From now on what comes while nobody is here is missed.
    this.#store();
    this.#subscription = live.subscribe<Notification>(notificationsOf(this.#userId), (message) => this.#take(message), {
      since: this.#cursor ?? "earliest",
      onGap: ({ cursor }) => {
        this.#cursor = cursor ?? this.#cursor;
        this.#set({ ...this.#view, goneAfter: this.#view.heard[0]?.id ?? "" });
      },
    });
  }

  close(): void {
    void this.#subscription?.close();
  }

  markSeen(): void {
    if (this.#view.unseen === 0) return;
    this.#set({ ...this.#view, heard: this.#view.heard.map((one) => ({ ...one, isSeen: true })), unseen: 0 });
  }

  #take({ id, data, at, cursor }: Message<Notification>): void {
    this.#cursor = cursor ?? this.#cursor;
    const { heard, rings, goneAfter } = this.#view;
    // One knows what one has done oneself.
    const isOwn = data.userId === this.#userId;
    if (isOwn || heard.some((one) => one.id === id)) return this.#store();
    const missedIn = this.attendance.absenceOf(at);
    const all = [{ ...data, id, at, missedIn, isSeen: false }, ...heard].slice(0, mostKept);
    this.#set({ heard: all, unseen: countUnseen(all), rings: rings + 1, goneAfter });
  }

  #set(view: MailroomView): void {
    this.#view = view;
    this.#store();
    for (const listener of this.#listeners) listener();
  }

  #store(): void {
    rememberMailbox(this.#userId, { cursor: this.#cursor, heard: this.#view.heard });
  }
}

function countUnseen(heard: readonly Heard[]): number {
  return heard.filter(({ isSeen }) => !isSeen).length;
}
