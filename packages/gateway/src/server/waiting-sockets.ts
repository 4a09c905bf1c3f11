/*
 * The connections of a server that are no live ones: on which nothing was asked yet, or half a request, or whose answer is under way, or that wait
 * for the next request. Each is memory and a file descriptor. Node looks after half requests every thirty seconds and gives each a minute, Fastify lets
 * a body take for ever, and neither counts by address.
 *
 * Of each address there may be so many. When it has them, the one that has been idle longest makes room, and where none is idle the new one is
 * closed. A head has ten seconds, from the opening of the connection or from its first byte. A body that is sent to the gateway has thirty, and so
 * has an answer of the gateway that is not taken any further; the other routes of an application have a patience of their own.
 *
 * A proxy speaks for many: it is not counted once a request has shown that Fastify believes what it says of its clients.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { countedAddress } from "../access/address.ts";
import { WaitingSocket } from "./waiting-socket.ts";

const all = new WeakMap<Server, WaitingSockets>();
const known = new WeakMap<Duplex, WaitingSocket>();
// Of TLS, a server announces a connection and its requests by two objects, of which only the ends are the same.
const byEnds = new Map<string, WaitingSocket>();

export class WaitingSockets {
  readonly #most: number;
  readonly #sockets = new Set<WaitingSocket>();
  readonly #byAddress = new Map<string, Set<WaitingSocket>>();
  readonly #proxies = new Set<string>();

  /** Of two gateways on one server, the first one says how many there may be. */
  static of(server: Server, mostOfAddress: number): WaitingSockets {
    const sockets = all.get(server) ?? new WaitingSockets(server, mostOfAddress);
    all.set(server, sockets);
    return sockets;
  }

  private constructor(server: Server, mostOfAddress: number) {
    this.#most = mostOfAddress;
    server.on("connection", (socket) => this.#enter(server, socket));
    server.prependListener("request", (request, response) => {
      const waiting = find(request.socket);
      if (!waiting) return;
      waiting.noteRequest(request);
      response.on("close", noteAnswered);
    });
    // It belongs to whoever opens it, which need not be the gateway, and has its own limit of time until then.
    server.on("upgrade", (_request, socket) => noteLive(socket));
  }

  /** A request to the gateway. `ips`: who sent it, behind those whom Fastify takes at their word. */
  noteOurs(request: IncomingMessage, ips: readonly string[] = []): void {
    find(request.socket)?.noteOurs(request);
    const { remoteAddress } = request.socket;
    if (ips.length < 2 || remoteAddress === undefined) return;
    this.#proxies.add(countedAddress(remoteAddress));
    this.#byAddress.delete(countedAddress(remoteAddress));
  }

  /** Called every second. */
  readonly sweep = (): void => {
    const now = Date.now();
    for (const socket of this.#sockets) if (socket.isOverdue(now)) socket.cut();
  };

  #enter(server: Server, socket: Socket): void {
    // A Unix socket has no address.
    if (socket.remoteAddress === undefined) return;
    // Asking for them takes a call into the kernel, for each connection.
    const ends = "setSecureContext" in server ? endsOf(socket) : undefined;
    const address = countedAddress(socket.remoteAddress);
    const isProxy = this.#proxies.has(address);
    const others = this.#byAddress.get(address) ?? new Set();
    if (!isProxy && others.size >= this.#most && !makeRoomIn(others)) {
      socket.destroy();
      return;
    }
    const waiting = new WaitingSocket({ server, socket, address, now: Date.now() });
    known.set(socket, waiting);
    this.#sockets.add(waiting);
    if (ends !== undefined) byEnds.set(ends, waiting);
    leavings.set(waiting, () => {
      this.#sockets.delete(waiting);
      if (ends !== undefined && byEnds.get(ends) === waiting) byEnds.delete(ends);
      others.delete(waiting);
      if (others.size === 0 && this.#byAddress.get(address) === others) this.#byAddress.delete(address);
    });
    socket.on("close", leaveAtClose);
    if (!isProxy) this.#byAddress.set(address, others.add(waiting));
  }
}

const leavings = new WeakMap<WaitingSocket, () => void>();

/** It is a live connection from now on, which is counted and looked after as one. Nothing of what it was stays with it. */
export function noteLive(socket: Duplex, answer?: ServerResponse): void {
  leave(find(socket));
  known.delete(socket);
  socket.off("close", leaveAtClose);
  answer?.off("close", noteAnswered);
  shrinkListeners(socket, "close");
}

/** A list of listeners that once had three keeps room for nineteen: two are listed anew, in their order. */
function shrinkListeners(emitter: Duplex, event: string): void {
  const [, last, ...more] = emitter.rawListeners(event) as (() => void)[];
  if (!last || more.length > 0) return;
  emitter.off(event, last);
  emitter.on(event, last);
}

function leave(waiting: WaitingSocket | undefined): void {
  if (!waiting) return;
  leavings.get(waiting)?.();
  leavings.delete(waiting);
}

// Listeners that all connections share: each of its own would hold on to everything that it can see.

function leaveAtClose(this: Duplex): void {
  leave(known.get(this));
}

function noteAnswered(this: ServerResponse): void {
  known.get(this.req.socket)?.noteAnswered(this.req);
}

function find(socket: Duplex): WaitingSocket | undefined {
  const waiting = known.get(socket);
  if (waiting || byEnds.size === 0) return waiting;
  const same = byEnds.get(("remotePort" in socket && endsOf(socket as Socket)) || "");
  if (same) known.set(socket, same);
  return same;
}

function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}

/** The first one is the one that was opened longest ago. */
function makeRoomIn(others: ReadonlySet<WaitingSocket>): boolean {
  for (const other of others) {
    if (!other.isIdle) continue;
    other.destroy();
    return true;
  }
  return false;
}
