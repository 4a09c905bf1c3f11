/** A PostgreSQL of our own that ends with this process, however that ends. */
export interface EmbeddedPostgres {
  /** Of the database `postgres`, with the superuser's password. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Another one after every restart. */
  readonly pid: number;
  readonly dir: string;
  readonly version: string;
  /** What runs and where it was found: "PostgreSQL 18.4 from /.../native/bin". */
  readonly source: string;
  /** Creates a database and returns its URL. */
  createDatabase(name: string): Promise<string>;
  /** Kills the server and its sessions (SIGKILL) and waits for their end, as a power cut would. Its folder stays. */
  kill(): Promise<void>;
  /**
   * Starts the server again, on the same port and folder, after stopping it if it runs: "fast" in order, "immediate" without, so
   * that it recovers as after a crash.
   */
  restart(mode?: "fast" | "immediate"): Promise<void>;
  /** Ends the server and removes its folder, unless it is persistent. */
  stop(): Promise<void>;
}
