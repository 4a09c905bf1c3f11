import type { FastifyReply, FastifyRequest } from "fastify";
import { visitorKey } from "../access/token.ts";
import { forgetVisitor, visitorOf } from "../access/visitor.ts";
import { closeAtNextRequest, isPipelined, neverAnswered } from "../server/pipelining.ts";
import { Problem } from "../server/problem.ts";
import type { LiveConnections } from "./connections.ts";
import { EventStream } from "./event-stream.ts";

/** What an event stream is filled by. */
interface Filling {
  /** Where it begins. */
  readonly place: string;
  /** Frames that come first. */
  readonly gaps?: string;
  /** The stream is gone. */
  readonly leave: (stream: EventStream) => void;
}

interface Opening {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly connections: LiveConnections;
  /**
   * Resolves with what fills a stream. What that writes before its turn of the event loop ends would come before the head of the answer: it
   * begins later.
   */
  prepare(): Promise<(stream: EventStream) => Filling>;
}

/** Answers a request with an event stream. It has its seat while it is prepared, too. */
export async function openEventStream({ request, reply, connections, prepare }: Opening): Promise<void> {
  const visitor = visitorOf(request);
  const seat = connections.enter(visitorKey(visitor));
  try {
    const fill = await prepare();
    const { socket } = request.raw;
    // Answers on one connection come in the order of the requests: what waits behind another answer cannot be a stream of its own.
    if (socket.destroyed || reply.raw.socket !== socket || isPipelined(socket)) {
      throw new Problem({ title: "An event stream needs a connection of its own", status: 400, code: "PIPELINED" });
    }
    const stream = new EventStream(connections, { socket, visitor, seat });
    const { place, gaps = "", leave } = fill(stream);
    reply.hijack();
    stream.begin(leave, { headers: reply.getHeaders(), place, gaps });
    closeAtNextRequest(socket);
    letGoOf(request);
    neverAnswered(reply.raw);
    connections.add(stream, reply.raw);
  } catch (error) {
    seat.leave();
    throw error;
  }
}

/** Node holds the request for as long as its answer lasts, which here is for ever: what came twice, and what the stream knows, need not stay with it. */
function letGoOf({ raw }: FastifyRequest): void {
  forgetVisitor(raw);
  // `headers` has them, and was read before.
  raw.rawHeaders.length = 0;
}

/** The id from which a browser resumes; undefined where it has none. */
export function lastEventIdOf({ headers }: FastifyRequest): string | undefined {
  const id = headers["last-event-id"];
  return typeof id === "string" && id !== "" ? id : undefined;
}
