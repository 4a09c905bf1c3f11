import type { Notification } from "../notification.ts";

/** What this browser remembers; what it does not let us store is remembered for this visit alone. */
const userKey = "reviews-user";
const mailboxKey = (userId: string): string => `reviews-notifications-${userId}`;
const reactedKey = (userId: string): string => `reviews-reacted-${userId}`;

/** A notification as the page keeps it. */
export interface Heard extends Notification {
  /** Of the message. */
  readonly id: string;
  /** When it was published, in milliseconds since 1970. */
  readonly at: number;
  /** The absence of this browser during which it was published. */
  readonly missedIn: number | undefined;
  readonly isSeen: boolean;
}

/** The notifications of a user, and the cursor behind the last one: both are stored together, or neither is. */
export interface Mailbox {
  /** Undefined before the first one. */
  readonly cursor?: string | undefined;
  /** Newest first. */
  readonly heard: readonly Heard[];
}

export function recallUser(): string | undefined {
  return read(userKey);
}

export function rememberUser(userId: string | undefined): void {
  if (userId === undefined) forget(userKey);
  else write(userKey, userId);
}

export function recallMailbox(userId: string): Mailbox | undefined {
  return parse(read(mailboxKey(userId))) as Mailbox | undefined;
}

export function rememberMailbox(userId: string, mailbox: Mailbox): void {
  write(mailboxKey(userId), JSON.stringify(mailbox));
}

/** The reactions of this user, as the page names them. */
export function recallReacted(userId: string): readonly string[] {
  return (parse(read(reactedKey(userId))) as string[] | undefined) ?? [];
}

export function rememberReacted(userId: string, reacted: readonly string[]): void {
  write(reactedKey(userId), JSON.stringify(reacted));
}

function parse(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function read(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Nothing depends on it.
  }
}

function forget(key: string): void {
  try {
    localStorage.removeItem(key);
  } catch {
    // Nothing depends on it.
  }
}
