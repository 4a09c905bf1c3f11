import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

const answerWithinMs = 2_000;

/**
 * Why a connection that was made came to nothing: a plain port leaves a TLS client waiting, and a TLS port cuts a plain one off, without a word.
 * Asks the port in the other language. Undefined where that is no explanation.
 */
export async function findTlsMismatch(options: Readonly<Record<string, unknown>>): Promise<string | undefined> {
  const { host, port, tls } = options;
  if (typeof host !== "string" || typeof port !== "number") return undefined;
  if (tls) return (await speaksPlain(host, port)) ? "TLS was asked for, and the port speaks without" : undefined;
  return (await speaksTls(host, port)) ? "the port speaks TLS, which was not asked for" : undefined;
}

function speaksPlain(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  socket.on("connect", () => socket.write("PING\r\n"));
  return answerOf(socket, "data");
}

function speaksTls(host: string, port: number): Promise<boolean> {
  // Nothing is sent on it: whose certificate it is does not matter.
  return answerOf(connectTls({ host, port, rejectUnauthorized: false }), "secureConnect");
}

function answerOf(socket: Socket, event: string): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (isAnswered: boolean): void => {
      resolve(isAnswered);
      socket.destroy();
    };
    socket.unref();
    socket.setTimeout(answerWithinMs, () => finish(false));
    socket.on(event, () => finish(true));
    socket.on("error", () => finish(false));
    socket.on("close", () => finish(false));
  });
}
