import type { Socket } from "node:net";
import { Cluster, Valkey } from "iovalkey";
import { clearTimeout, setImmediate, setTimeout } from "../../runtime/clock.ts";
import type { ValkeyTarget } from "./options.ts";

interface ClientParts {
  /** An answer that is overdue by this ends the connection. */
  readonly silenceMs: number;
  /** Milliseconds until it connects again. */
  nextDelay(): number;
  /** Whether an error reply says that another server is the one to talk to. */
  isToReconnect(error: Error): boolean;
}

/**
 * The client library's client of a target, which is not connected yet. It sends nothing twice, keeps nothing for later, and lets the process end
 * while no answer is awaited.
 */
export function createClient(target: ValkeyTarget, parts: ClientParts): Valkey | Cluster {
  const client = configure(target, parts);
  if (client instanceof Valkey) attend(client, parts);
  else client.on("+node", (node: Valkey) => attend(node, parts));
  client.on("reconnecting", () => letTimerEnd(client));
  return client;
}

function configure(target: ValkeyTarget, { silenceMs, nextDelay, isToReconnect }: ClientParts): Valkey | Cluster {
  // What a single server is told by server-check.ts.
  const isTold = (name: string): boolean => target.kind !== "cluster" && ["username", "password", "db"].includes(name);
  const common = {
    ...Object.fromEntries(Object.entries(target.options).filter(([name]) => !isTold(name))),
    autoResendUnfulfilledCommands: false,
    // A subscriber subscribes again itself, and then reads what it missed.
    autoResubscribe: false,
    // Zero: what waits for an answer when the connection closes is rejected at once. With null it would never be.
    maxRetriesPerRequest: 0,
    connectTimeout: 5_000,
    keepAlive: 10_000,
    socketTimeout: silenceMs,
    reconnectOnError: isToReconnect,
  };
  if (target.kind !== "cluster") {
    const retries = { retryStrategy: nextDelay, ...(target.kind === "sentinel" ? { sentinelRetryStrategy: nextDelay } : {}) };
    return new Valkey({ ...common, ...retries, enableReadyCheck: false, lazyConnect: true, enableOfflineQueue: false });
  }
  const cluster = new Cluster([...target.nodes], {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: nextDelay,
    // Zero: a command whose connection closed is not sent to the next primary a second time.
    retryDelayOnFailover: 0,
    redisOptions: common,
  });
  // Its connection for subscriptions is used by nobody here, and prints what it may not do.
  Object.assign(cluster, { subscriber: { start: () => undefined, stop: () => undefined, getInstance: () => null } });
  return cluster;
}

function attend(client: Valkey, { silenceMs }: ClientParts): void {
  hearLaterErrors(client);
  letProcessEnd(client);
  watchSilence(client, silenceMs);
}

/** What the client library has for `socketTimeout`: it sets the timer when the first command is under way, and clears it when the connection closes. */
interface Silence {
  readonly stream: Socket;
  readonly commandQueue: { readonly length: number };
  socketTimeoutTimer: NodeJS.Timeout | undefined;
  setSocketTimeout: () => void;
}

/**
 * Takes the place of the client library's timer for silence. A process that computes for as long is not told of what comes, and timers are the first thing that it gets to then: the
 * answers that are there are read before a connection is given up.
 */
function watchSilence(client: object, silenceMs: number): void {
  const silence = client as Silence;
  silence.setSocketTimeout = () => {
    const { stream } = silence;
    const giveUp = (): void => {
      if (silence.socketTimeoutTimer !== timer) return;
      silence.socketTimeoutTimer = undefined;
      stream.destroy(new Error(`Valkey has said nothing for ${silenceMs} ms`));
    };
    const timer = setTimeout(() => setImmediate(giveUp), silenceMs);
    silence.socketTimeoutTimer = timer;
    // It comes behind what takes the answers out of the queue.
    stream.once("data", () => {
      clearTimeout(timer);
      silence.socketTimeoutTimer = undefined;
      if (silence.commandQueue.length > 0) silence.setSocketTimeout();
    });
  };
}

/** The client library hears a socket's first error only, and TLS has more to say: one that nobody hears ends the process. */
function hearLaterErrors(client: Valkey): void {
  client.on("error", () => {
    const { stream } = client as { readonly stream?: Socket };
    if (stream?.listenerCount("error") === 0) stream.on("error", () => undefined);
  });
}

/**
 * Lets the process end while nothing is awaited of this connection. As long as something is, the timer for silence
 * holds the process, and so does the one of a connection's `whenReady`.
 */
function letProcessEnd(client: Valkey): void {
  client.on("connect", () => {
    const { stream } = client as { readonly stream?: Socket };
    stream?.unref();
  });
}

/** The same while it waits to connect again. */
function letTimerEnd(client: object): void {
  const { reconnectTimeout } = client as { readonly reconnectTimeout?: NodeJS.Timeout | null };
  reconnectTimeout?.unref();
}
