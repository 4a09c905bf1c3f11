import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

/**
 * Counts what clients send to a Valkey, by name, with MONITOR: exact, and only bearable where next to nothing is sent. On a
 * socket of its own, since the client library stumbles over a command that is reported together with the answer to MONITOR.
 */
export class CommandWatch {
  readonly #socket: Socket;
  readonly #counts = new Map<string, number>();
  #isCounting = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async start(url: string): Promise<CommandWatch> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const watch = new CommandWatch(socket);
    const lines = createInterface({ input: socket });
    lines.on("line", (line) => watch.#note(line));
    socket.write("MONITOR\r\n");
    await once(lines, "line");
    return watch;
  }

  count(): void {
    this.#isCounting = true;
  }

  stop(): ReadonlyMap<string, number> {
    this.#isCounting = false;
    this.#socket.destroy();
    return this.#counts;
  }

  /** A line is like `+1700000000.123456 [0 127.0.0.1:50000] "get" "key"`; what a script calls, sent by nobody, has `[0 lua]`. */
  #note(line: string): void {
    const name = /^\+[\d.]+ \[\d+ (?!lua\])[^\]]*\] "([^"]*)"/.exec(line)?.[1];
    if (!this.#isCounting || name === undefined) return;
    const key = name.toLowerCase();
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }
}
