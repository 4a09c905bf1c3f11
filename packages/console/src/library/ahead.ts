/*
 * What the console asks of the library before the library has it, each by its name: undefined as long as that is so. A function goes from here when what it calls is there.
 */
import type { AnyChannel } from "../console-options.ts";
import type { Group, GroupDeadLetter } from "keyline";
import { Refusal } from "../http/refusal.ts";

function ask<Answer>(thing: object, name: string, ...values: readonly unknown[]): Promise<Answer> {
  const method: unknown = Reflect.get(thing, name);
  if (typeof method === "function") return Reflect.apply(method, thing, values) as Promise<Answer>;
  throw new Refusal({ status: 501, code: "NOT_YET", title: "The library cannot do that yet" });
}

export const subscribersOf = (channel: AnyChannel): Promise<number> => ask(channel, "subscribers");
export const redriveOf = (group: Group, options: object): Promise<number> => ask(group, "redrive", options);
export const discardOf = (group: Group, options: object): Promise<number> => ask(group, "discard", options);

export async function* groupLetters(
  group: Group,
  { cursor, limit }: { readonly cursor: string | undefined; readonly limit: number },
): AsyncGenerator<GroupDeadLetter & { readonly cursor: string }, void, undefined> {
  const found = ask<readonly GroupDeadLetter[]>(group, "deadLetters", { limit, ...(cursor !== undefined && { cursor }) });
  const letters = (Symbol.asyncIterator in found ? found : await found) as AsyncIterable<GroupDeadLetter & { readonly cursor?: string }>;
  for await (const letter of letters) yield { ...letter, cursor: letter.cursor ?? letter.id };
}
