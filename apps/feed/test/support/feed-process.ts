import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { inject } from "vitest";

const program = fileURLToPath(new URL("feed-server.ts", import.meta.url));

export interface FeedProcess {
  readonly url: string;
  /** SIGKILL: no goodbye to anybody. Resolves when the process is gone. */
  kill(): Promise<void>;
}

interface FeedProcessSettings {
  /** Of the database, and of every key. */
  readonly name: string;
  readonly port: number;
  readonly historySize: number;
}

/** Resolves when it listens. */
export async function startFeedProcess({ name, port, historySize }: FeedProcessSettings): Promise<FeedProcess> {
  const child: ChildProcess = fork(program, [], {
    execArgv: ["--conditions=development", "--disable-warning=ExperimentalWarning"],
    env: {
      ...process.env,
      VALKEY_URL: inject("valkeyUrl"),
      DATABASE_URL: inject("postgresUrl"),
      FEED_NAME: name,
      PORT: String(port),
      HISTORY_SIZE: String(historySize),
    },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const exit = once(child, "exit");
  const [message] = await Promise.race([once(child, "message"), exit]);
  if (message !== "listening") throw new Error(`The feed's process ended: ${String(message)}`);
  return {
    url: `http://127.0.0.1:${port}`,
    kill: async () => {
      child.kill("SIGKILL");
      await exit;
    },
  };
}
