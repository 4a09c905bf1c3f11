import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { Progress } from "../tasks/progress.ts";

const moved = /^\+[\d.]+ \[\d+ lua\] "LMOVE" "kl:\{[^}]*\}:waiting[^"]*" "kl:\{[^}]*\}:held:/;
const noted = /^\+[\d.]+ \[\d+ lua\] "LPUSH" "kl:\{[^}]*\}:starts" "(\d+):\d+"/;

/**
 * Sees with MONITOR when workers take jobs from a queue with a rate: which jobs a script moves, and what the server says of the time. How many they
 * are is counted here, whatever the queue believes.
 */
export class TakeWatch {
  readonly #socket: Socket;
  readonly #takenAtMs: number[] = [];
  readonly #taken = new Progress();
  #moved = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async start(url: string): Promise<TakeWatch> {
    const { hostname, port } = new URL(url);
    const watch = new TakeWatch(connect(Number(port), hostname));
    const lines = createInterface({ input: watch.#socket });
    lines.on("line", (line) => watch.#note(line));
    watch.#socket.write("MONITOR\r\n");
    await once(lines, "line");
    return watch;
  }

  /** Resolves with the server's time of each taking, in order, when there have been so many. */
  async reach(jobs: number): Promise<readonly number[]> {
    await this.#taken.reach(jobs, "jobs were seen to be taken");
    return this.#takenAtMs;
  }

  stop(): void {
    this.#socket.destroy();
  }

  // A script moves jobs, and notes behind them when it did.
  #note(line: string): void {
    if (moved.test(line)) this.#moved++;
    const at = noted.exec(line)?.[1];
    if (at === undefined) return;
    for (; this.#moved > 0; this.#moved--) this.#takenAtMs.push(Number(at));
    this.#taken.value = this.#takenAtMs.length;
  }
}
