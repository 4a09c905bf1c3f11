/*
 * Answers on a connection come in the order of the requests, and an event stream is an answer without an end: what is asked behind it would
 * wait for ever, and pile up. So a stream is not begun on a connection on which something else was asked already, and a connection on
 * which something is asked behind a stream is closed.
 */
import type { Server } from "node:http";
import type { Duplex } from "node:stream";

const counted = new WeakSet<Server>();
const unanswered = new WeakMap<Duplex, number>();

/** Counts the requests of each connection that wait for their answers. */
export function countUnanswered(server: Server): void {
  if (counted.has(server)) return;
  counted.add(server);
  server.prependListener("request", ({ socket }, response) => {
    unanswered.set(socket, (unanswered.get(socket) ?? 0) + 1);
    response.once("close", () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
  });
}

/** True where more than one request waits for its answer. */
export function isPipelined(socket: Duplex): boolean {
  return (unanswered.get(socket) ?? 0) > 1;
}

/** True where a request waits for its answer, or for the rest of it. */
export function isBeingAnswered(socket: Duplex): boolean {
  return (unanswered.get(socket) ?? 0) > 0;
}

/** From now on the client has nothing to say on this connection. */
export function closeAtNextRequest(socket: Duplex): void {
  socket.once("data", () => socket.destroy());
}
