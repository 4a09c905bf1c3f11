import type { Socket } from "node:net";
import { Cluster, Valkey } from "iovalkey";
import { performance, setImmediate, setTimeout } from "../../runtime/clock.ts";
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

/** Stands for a timer while an answer is awaited: the client library asks for none then. */
const awaited = {} as NodeJS.Timeout;

/**
 * Takes the place of the client library's timer for silence, which is made and cleared for each command: here one goes on, and is asked at its end how long nothing was heard. A process that
 * computes for as long is not told of what comes, and timers are the first thing that it gets to then: the answers that are there are read before a connection is given up.
 */
function watchSilence(client: Valkey, silenceMs: number): void {
  const silence = client as unknown as Silence;
  let timer: NodeJS.Timeout | undefined;
  /** When an answer began to be awaited, or something was heard. */
  let since = 0;
  let heardOn: Socket | undefined;
  const ringIn = (ms: number): void => void (timer = setTimeout(ring, ms));
  const ring = (): void => {
    timer = undefined;
    if (silence.socketTimeoutTimer === undefined) return;
    const leftMs = Math.ceil(since + silenceMs - performance.now());
    if (leftMs > 0) return ringIn(leftMs);
    const { stream } = silence;
    const silentSince = since;
    setImmediate(() => {
      if (silence.socketTimeoutTimer === undefined || timer !== undefined) return;
      if (since !== silentSince || stream !== silence.stream) return ringIn(silenceMs);
      silence.socketTimeoutTimer = undefined;
      stream.destroy(new Error(`Valkey has said nothing for ${silenceMs} ms`));
    });
  };
  silence.setSocketTimeout = () => {
    const { stream } = silence;
    silence.socketTimeoutTimer = awaited;
    since = performance.now();
    if (timer) timer.ref();
    else ringIn(silenceMs);
    if (stream === heardOn) return;
    heardOn = stream;
    // It comes behind what takes the answers out of the queue.
    stream.on("data", () => {
      if (stream !== silence.stream || silence.socketTimeoutTimer === undefined) return;
      since = performance.now();
      if (silence.commandQueue.length > 0) return;
      silence.socketTimeoutTimer = undefined;
      timer?.unref();
    });
  };
  // Nothing is awaited of it any more.
  client.on("close", () => timer?.unref());
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
