/** A Valkey of our own that ends with this process, however that ends. */
export interface EmbeddedValkey {
  /** valkey://127.0.0.1:port */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly socketPath?: string;
  /** Another one after every restart. */
  readonly pid: number;
  readonly dir: string;
  readonly version: string;
  /** What runs and where it was found: "valkey-server 8.0.1 from /usr/bin". */
  readonly source: string;
  /** Kills the server (SIGKILL) and waits for its end. Its folder stays. */
  kill(): Promise<void>;
  /** Starts the server again, on the same port and folder, after stopping it if it runs; resolves when it answers. */
  restart(): Promise<void>;
  /** Freezes the server (SIGSTOP): connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  /** Ends the server and removes its folder, unless the caller named the folder. */
  stop(): Promise<void>;
}
