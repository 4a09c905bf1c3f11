import type { Notification } from "../notification.ts";

/** "reacted to your review: Thumbs up" */
export function sayWhat({ action, content }: Pick<Notification, "action" | "content">): string {
  return action === "reaction" ? `reacted to your review: ${content}` : `replied to your review: ${content}`;
}
