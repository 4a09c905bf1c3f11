import { fastify, type FastifyInstance } from "fastify";
import type { AddressInfo } from "node:net";
import type { GatewayOptions } from "./gateway-options.ts";
import { gateway, type Gateway } from "./gateway.ts";
import { answerHeaders } from "./server/answer-headers.ts";
import { ConnectionCloser } from "./server/closing.ts";
import { errorAnswers, refuseExpectations } from "./server/error-answers.ts";
import { checkListenAddress } from "./server/loopback.ts";
import { isAskedInVain } from "./server/pipelining.ts";
import { Problem, sendProblem, toProblem } from "./server/problem.ts";
import { closeAfterRefusedUpgrade } from "./server/upgrades.ts";

export interface StandaloneOptions extends GatewayOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 8080. 0 takes any that is free. */
  readonly port?: number;
  /** Addresses, or ranges such as `10.0.0.0/8`, of the proxies whose X-Forwarded-For is believed. Default: none. */
  readonly trustProxy?: readonly string[];
  /** Adds what else the same server serves, such as the console: it is called with the Fastify instance before that listens. */
  readonly mount?: (app: FastifyInstance) => unknown;
  /** Signals at which the gateway drains and closes, and then its Keyline, so that the process can end. Default SIGTERM and SIGINT. */
  readonly closeOn?: readonly NodeJS.Signals[];
}

/** A gateway with a server of its own. */
export interface StandaloneGateway {
  readonly url: string;
  readonly gateway: Gateway;
  /** Drains, then closes the server; what was asked has three seconds to be answered. Keyline stays open. */
  close(): Promise<void>;
}

const requestTimeoutMs = 30_000;
const longestName = 600;

/**
 * Serves queues, channels and streams until it is closed. Throws when there is no key to check tokens with and `host` is not on loopback.
 *
 * @example
 * const { url, close } = await startGateway({ keyline, channels: [{ channel: news, access: "public" }], port: 0 });
 */
export async function startGateway(options: StandaloneOptions): Promise<StandaloneGateway> {
  const { host = "127.0.0.1", port = 8_080, trustProxy = [], mount, closeOn = ["SIGTERM", "SIGINT"], ...rest } = options;
  if (!rest.access) checkListenAddress(host);
  const app = createServer(trustProxy);
  const closer = new ConnectionCloser(app.server);
  app.addHook("preClose", async () => closer.begin());
  await app.register(gateway, rest);
  await mount?.(app);
  // Behind the drain, which is the gateway's own hook, and what was mounted.
  app.addHook("preClose", async () => closer.finish());
  await app.listen({ host, port });

  const close = (): Promise<void> => Promise.resolve(app.close()).finally(() => closer.stop());
  const closeAll = (): void => {
    void close()
      .then(() => rest.keyline.close())
      .finally(stopListening);
  };
  const stopListening = (): void => closeOn.forEach((signal) => process.off(signal, closeAll));
  for (const signal of closeOn) process.on(signal, closeAll);
  return {
    url: urlOf(app.server.address() as AddressInfo),
    gateway: app.gateway,
    close: async () => {
      stopListening();
      await close();
    },
  };
}

function createServer(trustProxy: readonly string[]): FastifyInstance {
  const app: FastifyInstance = fastify({
    ...errorAnswers,
    http: { requireHostHeader: false },
    requestTimeout: requestTimeoutMs,
    routerOptions: { maxParamLength: longestName },
    ...(trustProxy.length > 0 ? { trustProxy: [...trustProxy] } : {}),
  });
  closeAfterRefusedUpgrade(app);
  refuseExpectations(app.server);
  app.addHook("onRequest", (request, reply, done) => {
    if (isAskedInVain(request, reply)) return;
    reply.headers(answerHeaders);
    // Node would refuse it in a form of its own.
    if (request.headers.host === undefined && request.raw.httpVersion === "1.1") {
      throw new Problem({ title: "The header Host is missing", status: 400, code: "INVALID_REQUEST" });
    }
    done();
  });
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, new Problem({ title: "There is nothing at this address", status: 404, code: "NOT_FOUND" })),
  );
  app.setErrorHandler((error, _request, reply) => sendProblem(reply, toProblem(error)));
  return app;
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
