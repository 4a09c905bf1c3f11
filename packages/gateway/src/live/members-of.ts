import type { Message } from "keyline";

const known = new WeakMap<Message, string>();

/**
 * What every form of a message holds, as JSON: written once however many feeds carry it, for all receivers in a process get the same
 * message object.
 */
export function membersOf(message: Message): string {
  const text = known.get(message);
  if (text !== undefined) return text;
  const { id, channel, data, at } = message;
  const members = `"id":${JSON.stringify(id)},"channel":"${channel}","data":${JSON.stringify(data) ?? "null"},"at":${at}`;
  known.set(message, members);
  return members;
}
