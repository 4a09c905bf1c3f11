import type { Message } from "keyline";

const known = new WeakMap<Message, string>();

/** The data of a message as JSON, written once however many feeds carry it: all receivers in a process get the same message object. */
export function jsonOf(message: Message): string {
  const text = known.get(message);
  if (text !== undefined) return text;
  const json = JSON.stringify(message.data) ?? "null";
  known.set(message, json);
  return json;
}
