import { connect } from "node:net";
import { EmbeddedError } from "../errors.ts";
import { host } from "../process/ports.ts";

// PostgreSQL's protocol 3.0, as much of it as running one statement takes. The password goes in clear text: it never leaves 127.0.0.1.
// https://www.postgresql.org/docs/current/protocol-flow.html

interface Login {
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** Runs one statement on the database `postgres`. Throws REQUEST_FAILED with the server's message. */
export function runStatement({ port, user, password }: Login, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host });
    const end = (failure?: string): void => {
      socket.destroy();
      if (failure === undefined) resolve();
      else reject(new EmbeddedError("REQUEST_FAILED", `${sql}: ${failure}`));
    };
    let received: Buffer = Buffer.alloc(0);
    let isSent = false;
    let failure: string | undefined;
    socket.on("error", (error) => end(error.message));
    socket.on("close", () => end(failure ?? "the server closed the connection"));
    socket.on("connect", () => socket.write(startup(user)));
    socket.on("data", (chunk) => {
      const messages = split(Buffer.concat([received, chunk]));
      received = messages.rest;
      for (const { type, body } of messages.complete) {
        if (type === "R" && body.readInt32BE(0) === 3) socket.write(frame("p", `${password}\0`));
        if (type === "E") failure = messageOf(body);
        if (type !== "Z") continue;
        if (isSent) return end(failure);
        isSent = true;
        socket.write(frame("Q", `${sql}\0`));
      }
    });
  });
}

function startup(user: string): Buffer {
  const fields = Buffer.from(`user\0${user}\0database\0postgres\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + fields.length, 0);
  head.writeInt32BE(196_608, 4);
  return Buffer.concat([head, fields]);
}

function frame(type: string, text: string): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

interface Message {
  readonly type: string;
  readonly body: Buffer;
}

function split(bytes: Buffer): { complete: readonly Message[]; rest: Buffer } {
  const complete: Message[] = [];
  let at = 0;
  while (bytes.length >= at + 5 && bytes.length > at + bytes.readInt32BE(at + 1)) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    complete.push({ type: bytes.toString("latin1", at, at + 1), body: bytes.subarray(at + 5, end) });
    at = end;
  }
  return { complete, rest: bytes.subarray(at) };
}

/** An error's fields are each a letter and a text; M is the message. */
function messageOf(body: Buffer): string {
  const fields = body.toString("utf8").split("\0");
  return fields.find((field) => field.startsWith("M"))?.slice(1) ?? "unknown error";
}
