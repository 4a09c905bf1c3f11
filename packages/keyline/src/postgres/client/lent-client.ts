/*
 * DESIGN. What a caller's function gets as `tx` is a connection that goes back to the pool when the transaction has ended. A function that
 * has failed may not have ended: the other branches of a `Promise.all`, or a call nobody waited for, go on and would write on a
 * connection that is outside of any transaction by then, or inside somebody else's. So what is handed out is lent: it is the client in
 * every respect, and refuses statements from the moment on at which the function has settled.
 */
import type { PoolClient } from "pg";
import { KeylineError } from "../../runtime/errors.ts";

const originals = new WeakMap<object, object>();

/** The client itself, where this one is lent. */
export function originalOf<Client extends object>(client: Client): Client {
  return (originals.get(client) as Client | undefined) ?? client;
}

/** Whether this was handed out by Keyline, which waits for the function that it was given to. */
export function isLent(client: object): boolean {
  return originals.has(client);
}

/** Calls `work` with the client, on loan until what it returns has settled. */
export async function lend<Result>(client: PoolClient, work: (tx: PoolClient) => Promise<Result>): Promise<Result> {
  let isOver = false;
  const query = (...values: unknown[]): unknown => {
    if (!isOver) return (client.query as (...all: unknown[]) => unknown).apply(client, values);
    const error = new KeylineError(
      "NOT_IN_TRANSACTION",
      "The transaction that this tx was for has ended: await every statement in the function that was given it",
    );
    const callback = values.at(-1);
    if (typeof callback !== "function") return Promise.reject(error);
    callback(error);
    return undefined;
  };
  const lent = new Proxy(client, {
    get: (target, name) => {
      if (name === "query") return query;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  });
  originals.set(lent, client);
  try {
    return await work(lent);
  } finally {
    isOver = true;
  }
}
