import { isUserId } from "./user-id.ts";

/** Says what was appended to the stream and how many reactions and responses there are now, when both are in the table. */
export const reviewEvents = "reviews:events";

const ofNotifications = "notifications:";

/** The private channel of this user. */
export function notificationsOf(userId: string): string {
  return `${ofNotifications}${userId}`;
}

export function isNotificationChannel(name: string): boolean {
  return name.startsWith(ofNotifications) && isUserId(name.slice(ofNotifications.length));
}
