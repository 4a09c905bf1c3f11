import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";

// Stands between a client and a server on 127.0.0.1 and breaks the wire in the ways in which wires break. It knows no protocol: a request is
// the chunk of bytes that it arrives in, which is enough to see "BLMOVE" or "COMMIT" in it.
//
// A cut is a reset for the client and an orderly end for the server, which therefore still does all that it has been sent. A stalled
// connection stays stalled: what is said on it is lost, and neither side learns that the other has gone.

type Match = (requestBytes: Buffer) => boolean;

export interface WireProxy {
  readonly port: number;
  // How often each has happened so far: a test that relies on a fault looks here whether it struck.
  readonly connections: number;
  readonly swallowed: number;
  readonly cuts: number;
  readonly stalls: number;
  readonly held: number;
  /** Ends all faults, for connections that are not stalled and for those to come. */
  passAll(): void;
  /** Delivers everything `ms` later, both ways. */
  delay(ms: number): void;
  /** Delivers everything in pieces of 1 to `maxChunk` bytes, both ways. */
  sliceBytes(maxChunk: number): void;
  /** Forwards a request that matches, drops the answer, and then cuts (by default) or stalls the connection. Once, or `times`. */
  swallowReply(match: Match, options?: { readonly andThen?: "cut" | "stall"; readonly times?: number }): void;
  /** Cuts the connection in place of forwarding a request that matches. Once, or `times`. */
  cutBeforeForward(match: Match, options?: { readonly times?: number }): void;
  /** Keeps a request that matches, and what comes behind it on its connection, until `until` resolves. */
  holdRequest(match: Match, until: Promise<void>): void;
  /** Stalls every connection that there is, and that is made until `passAll`. */
  stallAll(): void;
  /** Whether nothing is read of what the server sends on the connections that there are, so that it piles up there. */
  starveAll(on: boolean): void;
  cutAll(): void;
  /** Whether new connections are refused, as where nobody listens. */
  refuse(on: boolean): Promise<void>;
  stop(): Promise<void>;
}

interface Rule {
  readonly match: Match;
  readonly action: "swallow, then cut" | "swallow, then stall" | "cut";
  timesLeft: number;
}

interface Hold {
  readonly match: Match;
  readonly until: Promise<void>;
}

const noFaults = { rules: [] as readonly Rule[], delayMs: 0, maxChunk: Infinity, isStalling: false, hold: undefined as Hold | undefined };
const noCounts = { connections: 0, swallowed: 0, cuts: 0, stalls: 0, held: 0 };

/** What applies to all connections at this moment. */
type Faults = typeof noFaults & { readonly random: () => number; readonly counts: typeof noCounts };

/** Starts a proxy on a free port. The same `seed` slices the same bytes in the same way. */
export async function startWireProxy(options: {
  readonly target: { readonly host: string; readonly port: number };
  readonly seed?: number;
}): Promise<WireProxy> {
  const counts = { ...noCounts };
  const faults: Faults = { ...noFaults, random: seededRandom(options.seed ?? 1), counts };
  const links = new Set<Link>();
  const accept = (client: Socket): void => {
    const link = new Link(client, connect({ ...options.target, allowHalfOpen: true }), faults);
    links.add(link);
    void link.ended.then(() => links.delete(link));
  };
  const add = (rule: Rule): void => {
    faults.rules = [...faults.rules, rule];
  };
  let listener = await listen(0, accept);
  const port = portOf(listener);

  return {
    port,
    get connections() {
      return counts.connections;
    },
    get swallowed() {
      return counts.swallowed;
    },
    get cuts() {
      return counts.cuts;
    },
    get stalls() {
      return counts.stalls;
    },
    get held() {
      return counts.held;
    },
    passAll: () => void Object.assign(faults, noFaults),
    delay: (ms) => void (faults.delayMs = ms),
    sliceBytes: (maxChunk) => void (faults.maxChunk = maxChunk),
    swallowReply: (match, { andThen = "cut", times = 1 } = {}) => add({ match, action: `swallow, then ${andThen}`, timesLeft: times }),
    cutBeforeForward: (match, { times = 1 } = {}) => add({ match, action: "cut", timesLeft: times }),
    holdRequest: (match, until) => void (faults.hold = { match, until }),
    stallAll() {
      faults.isStalling = true;
      for (const link of links) link.stall();
    },
    starveAll(on) {
      for (const link of links) link.starve(on);
    },
    cutAll() {
      for (const link of links) link.cut();
    },
    async refuse(on) {
      if (on) listener.close();
      else if (!listener.listening) listener = await listen(port, accept);
    },
    async stop() {
      listener.close();
      for (const link of links) link.destroy();
      await Promise.all(Array.from(links, (link) => link.ended));
    },
  };
}

/** A client's connection and the one to the server that belongs to it. */
class Link {
  readonly ended: Promise<unknown>;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #faults: Faults;
  #state: "open" | "swallow, then cut" | "swallow, then stall" | "stalled" | "cut" = "open";

  constructor(client: Socket, server: Socket, faults: Faults) {
    this.#client = client;
    this.#server = server;
    this.#faults = faults;
    this.ended = Promise.all([client, server].map((socket) => new Promise((resolve) => socket.on("close", resolve))));
    faults.counts.connections++;
    if (faults.isStalling) this.stall();
    this.#pump(client, server, (bytes) => this.#admitsRequest(bytes));
    this.#pump(server, client, () => this.#admitsReply());
  }

  stall(): void {
    if (this.#state === "cut" || this.#state === "stalled") return;
    this.#state = "stalled";
    this.#faults.counts.stalls++;
  }

  starve(on: boolean): void {
    if (on) this.#server.pause();
    else this.#server.resume();
  }

  cut(): void {
    if (this.#state === "cut") return;
    this.#state = "cut";
    this.#faults.counts.cuts++;
    this.#client.resetAndDestroy();
    this.#server.end();
  }

  destroy(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  /** Delivers what comes from one side to the other, in order, and as late and as sliced as the faults say. */
  #pump(from: Socket, to: Socket, admits: (bytes: Buffer) => boolean | Promise<boolean>): void {
    let delivered = Promise.resolve();
    const inOrder = (step: () => Promise<void> | void): void => {
      const due = performance.now() + this.#faults.delayMs;
      delivered = delivered.then(async () => {
        if (due > performance.now()) await sleep(due - performance.now());
        if (this.#state !== "stalled") await step();
      });
    };
    from.setNoDelay();
    from.on("data", (bytes) => inOrder(async () => ((await admits(bytes)) ? this.#deliver(bytes, to) : undefined)));
    from.on("end", () => inOrder(() => void to.end()));
    from.on("error", () => inOrder(() => void to.destroy()));
  }

  async #deliver(bytes: Buffer, to: Socket): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { maxChunk, random } = this.#faults;
      const end = maxChunk === Infinity ? bytes.length : at + 1 + Math.floor(random() * maxChunk);
      if (this.#state !== "stalled" && to.writable) to.write(bytes.subarray(at, end));
      at = end;
      // So that the pieces leave one by one.
      if (at < bytes.length) await setImmediate();
    }
  }

  async #admitsRequest(bytes: Buffer): Promise<boolean> {
    if (this.#state === "cut") return false;
    const { hold } = this.#faults;
    if (hold?.match(bytes)) {
      this.#faults.counts.held++;
      await hold.until;
    }
    const rule = this.#faults.rules.find(({ match, timesLeft }) => timesLeft > 0 && match(bytes));
    if (rule === undefined) return true;
    rule.timesLeft--;
    if (rule.action === "cut") this.cut();
    else this.#state = rule.action;
    return rule.action !== "cut";
  }

  #admitsReply(): boolean {
    if (this.#state === "open" || this.#state === "cut") return this.#state === "open";
    this.#faults.counts.swallowed++;
    if (this.#state === "swallow, then cut") this.cut();
    else this.stall();
    return false;
  }
}

/** The server of that address, for a proxy to stand before it. */
export function targetOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname === "localhost" ? "127.0.0.1" : hostname, port: Number(port) };
}

/** The same address by way of the proxy. */
export function through(url: string, proxy: WireProxy): string {
  const changed = new URL(url);
  changed.hostname = "127.0.0.1";
  changed.port = String(proxy.port);
  return changed.href;
}

/** Matches requests in which all of these stand. */
export function containing(...texts: readonly string[]): Match {
  return (bytes) => texts.every((text) => bytes.includes(text));
}

/** A port that was ours a moment ago may be taken by somebody's outgoing connection: then we wait for it. */
async function listen(port: number, accept: (client: Socket) => void): Promise<Server> {
  for (let tries = 1; ; tries++) {
    const server = createServer({ allowHalfOpen: true }, accept).listen({ port, host: "127.0.0.1" });
    try {
      await once(server, "listening");
      return server;
    } catch (error) {
      if (tries === 50) throw error;
      await sleep(50);
    }
  }
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Mulberry32: small, fast, and the same on every machine. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
