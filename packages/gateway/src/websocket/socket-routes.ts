import websocketPlugin from "@fastify/websocket";
import type { FastifyInstance } from "fastify";
import { randomUUID } from "node:crypto";
import type { Origins } from "../access/origins.ts";
import { visitorKey } from "../access/token.ts";
import { visitorOf } from "../access/visitor.ts";
import type { LiveConnections } from "../live/connections.ts";
import type { Seat } from "../limits/connection-limit.ts";
import { largestFrameBytes } from "../limits/options.ts";
import { writeProblem } from "../server/error-answers.ts";
import { Problem } from "../server/problem.ts";
import { limitUpgrades } from "../server/upgrades.ts";
import { Conversation, type ConversationParts } from "./conversation.ts";
import { Session } from "./session.ts";

interface SocketParts extends ConversationParts {
  readonly origins: Origins;
  readonly connections: LiveConnections;
}

/** Clients send none, and what a few have is what a network on the way made of large messages. */
const mostFragments = 64;
const socketOptions = { maxPayload: largestFrameBytes, maxFragments: mostFragments, perMessageDeflate: false };

export async function addSocketRoutes(routes: FastifyInstance, parts: SocketParts): Promise<void> {
  const { connections, origins, presence, follows, logError } = parts;
  await useWebSockets(routes, logError);
  const gateway = randomUUID();
  const seats = new WeakMap<object, Seat>();
  routes.route({
    method: "GET",
    url: "/v1/ws",
    exposeHeadRoute: false,
    schema: { hide: true },
    // Here the handshake can still be refused with an ordinary answer.
    preValidation: (request, _reply, done) => {
      origins.checkHandshake(request.headers);
      // It would never close again, and its place would never be free.
      if (request.raw.socket.destroyed) throw new Problem({ title: "The client has gone", status: 400, code: "INVALID_REQUEST" });
      const seat = connections.enter(visitorKey(visitorOf(request)));
      // Whoever asks without an upgrade learns whether one would be refused: a browser does not tell its page.
      if (!request.ws) seat.leave();
      seats.set(request.raw, seat);
      // Not when the session ends: the handshake may still fail.
      request.raw.socket.once("close", () => seat.leave());
      done();
    },
    handler: () => {
      throw new Problem({ title: "Connect with a WebSocket", status: 426, code: "UPGRADE_REQUIRED" });
    },
    wsHandler: (webSocket, request) => {
      const seat = seats.get(request.raw);
      if (!seat) throw new Error("A WebSocket was opened that had no place");
      const { socket } = request.raw;
      const session = new Session(connections, { webSocket, socket, visitor: visitorOf(request), seat });
      const conversation = new Conversation(session, parts);
      session.onLeave = () => {
        session.leaveFeeds();
        presence.forget(session);
        follows.forget(session);
      };
      connections.add(session);
      webSocket.on("message", (data: Buffer, isBinary) => conversation.hear(data, isBinary));
      // Before the library, which listens to the same. Nothing has come yet: both hear all of it.
      socket.prependListener("data", (chunk: Buffer) => conversation.overhear(chunk));
      session.send({
        type: "hello",
        beatMs: connections.beatMs,
        gateway,
        maxFrameBytes: largestFrameBytes,
        framesPerSecond: parts.framesPerSecond,
      });
    },
  });
}

/** One handler of upgrades for a server: the application's own, if it has one and that is as careful. */
async function useWebSockets(routes: FastifyInstance, logError: ConversationParts["logError"]): Promise<void> {
  if (routes.hasDecorator("websocketServer")) {
    const { maxPayload = 0, perMessageDeflate } = routes.websocketServer.options;
    if (maxPayload === 0 || maxPayload > largestFrameBytes || perMessageDeflate) {
      throw new Error(
        `The application's @fastify/websocket must have options: { maxPayload: at most ${largestFrameBytes}, perMessageDeflate: false }, or be registered beside the gateway in a scope of its own server`,
      );
    }
    return;
  }
  limitUpgrades(routes);
  await routes.register(websocketPlugin, {
    options: socketOptions,
    // The library has sent its close frame, such as 1009 for a frame that is too big. Destroying the socket now would swallow it.
    errorHandler: (error) => {
      if (!("code" in error) || !String(error.code).startsWith("WS_ERR_")) logError(error, "a WebSocket failed");
    },
    // The gateway says goodbye itself.
    preClose: (done) => done(),
  });
  // The library would refuse it in a form of its own.
  routes.websocketServer.on("wsClientError", (_error, socket) => {
    writeProblem(socket, { title: "This is not the handshake of a WebSocket", status: 400, code: "INVALID_HANDSHAKE" });
  });
}
