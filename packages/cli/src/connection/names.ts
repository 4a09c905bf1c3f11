import type { Channel, ChannelOptions, Keyline, Queue, Stream } from "keyline";
import { Failure, WrongUse } from "../exit-codes.ts";
import { nearest } from "../input/nearest.ts";
import { storesOf, storeText } from "../status/stores.ts";
import { asking } from "./known.ts";
import type { Session } from "./session.ts";

export type AnyQueue = Queue<unknown, unknown, boolean>;
export type AnyStream = Stream<unknown, unknown, boolean>;

/** What to do about a name that nobody has used yet. */
export interface CreateOptions {
  readonly create?: boolean;
  readonly transactional?: boolean;
}

interface Named {
  readonly name: string;
  readonly transactional: boolean;
}

const mostListed = 20;

/**
 * The queue of that name. One that nobody has used is refused with those that there are, unless it is said what it is to be. A transactional one is refused where nobody has said where
 * PostgreSQL is, unless what Valkey knows does.
 */
export async function openQueue(
  session: Session,
  name: string,
  { create, transactional, isValkeyEnough }: CreateOptions & { readonly isValkeyEnough?: boolean } = {},
): Promise<AnyQueue> {
  const keyline = await session.keyline();
  const entries = await keyline.directory.queues();
  const found = entries.find((entry) => entry.name === name);
  if (found) {
    checkKind("Queue", found, transactional);
    if (!isValkeyEnough) checkRecord(session, "Queue", found);
    return found.open();
  }
  if (transactional) return keyline.queue(name, { transactional: true });
  if (create) return keyline.queue(name);
  throw await unknownName(session, { kind: "queue", name }, entries);
}

/** The stream of that name, in the same way. With a `key` it finds the entries of a key, and appends with one. */
export async function openStream(
  session: Session,
  name: string,
  { create, transactional, key }: CreateOptions & { readonly key?: (event: unknown) => string } = {},
): Promise<AnyStream> {
  const keyline = await session.keyline();
  const entries = await keyline.directory.streams();
  const found = entries.find((entry) => entry.name === name);
  if (found) {
    checkKind("Stream", found, transactional);
    checkRecord(session, "Stream", found);
  } else if (!create && !transactional) throw await unknownName(session, { kind: "stream", name }, entries);
  if (found && !key) return found.open();
  return streamOf(keyline, name, { transactional: found?.transactional ?? transactional ?? false, key });
}

/** Whether a queue or a stream has that name. Where both have, or neither, it is refused. */
export async function kindOf(session: Session, name: string): Promise<"queue" | "stream"> {
  const { directory } = await session.keyline();
  const [queues, streams] = await Promise.all([directory.queues(), directory.streams()]);
  const isNamed = (entry: Named): boolean => entry.name === name;
  const [isQueue, isStream] = [queues.some(isNamed), streams.some(isNamed)];
  if (isQueue && isStream) throw new WrongUse(`There is a queue ${name}, and a stream ${name}: say --queue or --stream.`);
  if (!isQueue && !isStream) throw await unknownName(session, { kind: "stream or queue", name }, [...streams, ...queues]);
  return isQueue ? "queue" : "stream";
}

/** What a name is of. */
export type Found =
  | { readonly kind: "queue"; readonly queue: AnyQueue }
  | { readonly kind: "stream"; readonly stream: AnyStream }
  | { readonly kind: "channel"; readonly channel: Channel<unknown> };

/** The queue, the stream or the listed channel of that name. Where several have it, it has to be said which. */
export async function openNamed(session: Session, name: string, said: Found["kind"] | undefined): Promise<Found> {
  const { directory } = await session.keyline();
  // No channel is known to PostgreSQL, and a queue may be.
  const listed = asking()(directory.channels());
  const [queues, streams, channels = []] = await Promise.all([directory.queues(), directory.streams(), listed]);
  const isNamed = (entry: { readonly name: string }): boolean => entry.name === name;
  const [queue, stream, channel] = [queues.find(isNamed), streams.find(isNamed), channels.find(isNamed)];
  const found: Found[] = [
    ...(queue ? [{ kind: "queue" as const, queue: queue.open() }] : []),
    ...(stream ? [{ kind: "stream" as const, stream: stream.open() }] : []),
    ...(channel ? [{ kind: "channel" as const, channel: channel.open() }] : []),
  ].filter(({ kind }) => said === undefined || kind === said);
  const [one, other] = found;
  if (one && other) {
    const kinds = found.map(({ kind }) => kind);
    throw new WrongUse(
      `There is ${kinds.map((kind) => `a ${kind} ${name}`).join(", and ")}: say ${kinds.map((kind) => `--${kind}`).join(" or ")}.`,
    );
  }
  if (one) return one;
  const all = [queues, streams, channels.map((entry) => ({ ...entry, transactional: false }))];
  const meant = said === undefined ? all.flat() : (all[["queue", "stream", "channel"].indexOf(said)] ?? []);
  throw await unknownName(session, { kind: said ?? "queue, stream or channel", name }, meant);
}

/** The channel of that name: it need not be known, as most are not listed. With a history it is one that keeps messages, as far as nobody said otherwise. */
export async function openChannel(session: Session, name: string, { history }: Pick<ChannelOptions, "history">): Promise<Channel<unknown>> {
  const keyline = await session.keyline();
  const found = (await keyline.directory.channels()).find((entry) => entry.name === name);
  if (found && (found.hasHistory || !history)) return found.open();
  return keyline.channel(name, history ? { history } : {});
}

function streamOf(
  keyline: Keyline,
  name: string,
  { transactional, key }: { readonly transactional: boolean; readonly key: ((event: unknown) => string) | undefined },
): AnyStream {
  // How much is kept is for its application to say: nothing is dropped here.
  const rules = { ...(key && { key }), retention: { maxLength: Number.MAX_SAFE_INTEGER } };
  return transactional ? keyline.stream(name, { ...rules, transactional: true }) : keyline.stream(name, rules);
}

function checkKind(what: string, { name, transactional }: Named, isWanted: boolean | undefined): void {
  if (isWanted && !transactional)
    throw new WrongUse(`${what} ${name} is there already, and is not transactional: leave --transactional out.`);
}

function checkRecord({ hasPostgres }: Session, what: string, { name, transactional }: Named): void {
  if (transactional && !hasPostgres)
    throw new WrongUse(
      `${what} ${name} is transactional, and this needs its record in PostgreSQL: set DATABASE_URL, or say --postgres URL.`,
    );
}

async function unknownName(
  session: Session,
  { kind, name }: { readonly kind: string; readonly name: string },
  entries: readonly Named[],
): Promise<Error> {
  const shown = /^[^\s"']+$/.test(name) ? name : JSON.stringify(name);
  const away = storesOf(await (await session.keyline()).health()).find(({ state }) => state === "away");
  if (away) return new Failure(`${storeText(away, session.addresses)}\nOnly there it may be known whether there is a ${kind} ${shown}.`);
  if (entries.length === 0) return new WrongUse(`There is no ${kind} ${shown}, nor any other: none was used in the last 30 days.`);
  const names = entries.map((entry) => entry.name);
  const near = nearest(name, names);
  const listed = names.slice(0, mostListed).join(", ");
  const rest = names.length > mostListed ? `, and ${names.length - mostListed} more` : "";
  return new WrongUse(`There is no ${kind} ${shown}.${near === undefined ? "" : ` Did you mean ${near}?`} There are: ${listed}${rest}.`);
}
