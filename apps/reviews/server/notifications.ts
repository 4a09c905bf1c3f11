import type { Channel, Keyline } from "keyline";
import { notificationsOf } from "../channel-names.ts";
import { Notification } from "../notification.ts";

/** For each author who is away. */
const kept = { size: 200, ttl: 30 * 86_400_000 };

/** The private channels of the users: each is made when it is first asked for, and forgotten when nobody uses it. */
export class Notifications {
  readonly #keyline: Keyline;

  constructor(keyline: Keyline) {
    this.#keyline = keyline;
  }

  of(userId: string): Channel<Notification> {
    return this.open(notificationsOf(userId));
  }

  open(name: string): Channel<Notification> {
    return this.#keyline.channel(name, { schema: Notification, history: kept });
  }
}
