import { Valkey } from "iovalkey";

/** Counts what clients send to a Valkey, by name, with MONITOR: exact, and only bearable where next to nothing is sent. */
export class CommandWatch {
  readonly #client: Valkey;
  readonly #counts = new Map<string, number>();
  #isCounting = false;

  private constructor(client: Valkey) {
    this.#client = client;
  }

  static async start(url: string): Promise<CommandWatch> {
    const client = new Valkey(url);
    const watch = new CommandWatch(client);
    const monitor = await client.monitor();
    monitor.on("monitor", (_time: string, args: readonly string[], source: string) => {
      // What a script calls is not a command that anybody sent.
      if (!watch.#isCounting || source === "lua") return;
      const name = String(args[0]).toLowerCase();
      watch.#counts.set(name, (watch.#counts.get(name) ?? 0) + 1);
    });
    watch.#close = () => {
      monitor.disconnect();
      client.disconnect();
    };
    return watch;
  }

  #close: () => void = () => {};

  count(): void {
    this.#isCounting = true;
  }

  stop(): ReadonlyMap<string, number> {
    this.#isCounting = false;
    this.#close();
    return this.#counts;
  }
}
