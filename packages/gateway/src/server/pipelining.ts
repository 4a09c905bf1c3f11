/*
 * Answers on a connection come in the order of the requests, and an event stream is an answer without an end: what is asked behind it would
 * wait for ever, and pile up. So a stream is not begun on a connection on which something else was asked already, and a connection on
 * which something is asked behind a stream is closed.
 *
 * A connection that asks on and on without waiting is closed, too. The thousand requests that fit into one packet are all read in one turn, and of a
 * connection that has more of them some thirty packets: whoever refuses each with an answer of its own does nothing else for many seconds.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

const mostPipelined = 20;

const counted = new WeakSet<Server>();
const unanswered = new WeakMap<Duplex, number>();

/** Counts the requests of each connection that wait for their answers. */
export function countUnanswered(server: Server): void {
  if (counted.has(server)) return;
  counted.add(server);
  server.prependListener("request", ({ socket }, response) => {
    unanswered.set(socket, (unanswered.get(socket) ?? 0) + 1);
    response.on("close", noteAnswered);
  });
}

// One listener for all: there are thousands of streams, and each would hold a function of its own, and what that can see.
function noteAnswered(this: ServerResponse): void {
  const { socket } = this.req;
  unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1);
}

/** This answer has no end: nobody waits for that. */
export function neverAnswered(response: ServerResponse): void {
  response.off("close", noteAnswered);
}

/** True where more than one request waits for its answer. */
export function isPipelined(socket: Duplex): boolean {
  return (unanswered.get(socket) ?? 0) > 1;
}

/**
 * True, and the request stays without an answer, where nobody would take one: its connection is closed, or is closed now because more was asked
 * at once than clients do that wait for answers.
 */
export function isAskedInVain({ raw: { socket } }: FastifyRequest, reply: FastifyReply): boolean {
  if ((unanswered.get(socket) ?? 0) > mostPipelined) socket.destroy();
  if (socket.destroyed) reply.hijack();
  return socket.destroyed;
}

/** True where a request waits for its answer, or for the rest of it. */
export function isBeingAnswered(socket: Duplex): boolean {
  return (unanswered.get(socket) ?? 0) > 0;
}

/** From now on the client has nothing to say on this connection. */
export function closeAtNextRequest(socket: Duplex): void {
  socket.on("data", destroy);
}

function destroy(this: Duplex): void {
  this.destroy();
}
