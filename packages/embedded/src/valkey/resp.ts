import { connect } from "node:net";
import { EmbeddedError } from "../errors.ts";
import { host } from "../process/ports.ts";

// RESP 2, as much of it as starting servers and forming clusters needs: one connection per exchange, no pipelining by others.
// https://valkey.io/topics/protocol/

export type Reply = string | number | null | Error | readonly Reply[];

interface Exchange {
  readonly port: number;
  readonly password?: string | undefined;
  readonly timeoutMs?: number;
}

/** Sends one command and returns its reply. Throws REQUEST_FAILED when there is no answer or when the answer is an error. */
export async function request({ port, password, timeoutMs = 2_000 }: Exchange, ...command: readonly string[]): Promise<Reply> {
  const commands = password === undefined ? [command] : [["AUTH", password], command];
  const replies = await exchange(port, commands, timeoutMs);
  const failure = replies.find((reply) => reply instanceof Error);
  if (failure) throw new EmbeddedError("REQUEST_FAILED", `${command[0]}: ${failure.message}`);
  return replies.at(-1) ?? null;
}

function exchange(port: number, commands: readonly (readonly string[])[], timeoutMs: number): Promise<readonly Reply[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host });
    const fail = (cause: unknown): void => {
      socket.destroy();
      reject(new EmbeddedError("REQUEST_FAILED", `No answer from port ${port}`, { cause }));
    };
    let received: Buffer = Buffer.alloc(0);
    socket.setTimeout(timeoutMs, () => fail(new Error(`nothing for ${timeoutMs} ms`)));
    socket.on("error", fail).on("close", fail);
    socket.on("connect", () => socket.write(commands.map(encode).join("")));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      const replies = decode(received, commands.length);
      if (replies === undefined) return;
      socket.destroy();
      resolve(replies);
    });
  });
}

function encode(command: readonly string[]): string {
  return `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`;
}

/** The first `count` replies in `bytes`, or undefined when they are not all there yet. */
export function decode(bytes: Buffer, count: number): readonly Reply[] | undefined {
  let at = 0;

  function line(): string | undefined {
    const end = bytes.indexOf("\r\n", at);
    if (end < 0) return undefined;
    const text = bytes.toString("utf8", at, end);
    at = end + 2;
    return text;
  }

  function bulk(length: number): Reply | undefined {
    if (length < 0) return null;
    if (bytes.length < at + length + 2) return undefined;
    const text = bytes.toString("utf8", at, at + length);
    at += length + 2;
    return text;
  }

  function several(length: number): readonly Reply[] | undefined {
    const replies: Reply[] = [];
    while (replies.length < length) {
      const next = reply();
      if (next === undefined) return undefined;
      replies.push(next);
    }
    return replies;
  }

  function reply(): Reply | undefined {
    const head = line();
    if (head === undefined) return undefined;
    const value = head.slice(1);
    if (head.startsWith("-")) return new Error(value);
    if (head.startsWith(":")) return Number(value);
    if (head.startsWith("$")) return bulk(Number(value));
    if (head.startsWith("*")) return Number(value) < 0 ? null : several(Number(value));
    return value;
  }

  return several(count);
}
