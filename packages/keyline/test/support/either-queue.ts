import type { Keyline, Queue, QueueOptions } from "keyline";

/** A queue of either kind, for what is the same on both. */
export type EitherQueue<Data> = Queue<Data> | Queue<Data, Data, true>;

export function openEither<Data>(
  keyline: Keyline,
  name: string,
  { transactional, ...rules }: Omit<QueueOptions<Data>, "schema" | "transactional"> & { readonly transactional: boolean },
): EitherQueue<Data> {
  return transactional ? keyline.queue<Data>(name, { ...rules, transactional: true }) : keyline.queue<Data>(name, rules);
}
