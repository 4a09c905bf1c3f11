import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Stage } from "../../../keyline/test/support/stage.ts";

const program = join(import.meta.dirname, "gateway-process.ts");

/** A gateway that comes back on the same port, whichever way it ended. Its channel `news` keeps `size` messages. */
export class KillableGateway {
  readonly #options: { readonly stage: Stage; readonly size: number };
  #child: ChildProcess | undefined;
  #url = "";

  static async start(options: { readonly stage: Stage; readonly size: number }): Promise<KillableGateway> {
    const gateway = new KillableGateway(options);
    onTestFinished(() => gateway.end("SIGKILL"));
    await gateway.start();
    return gateway;
  }

  private constructor(options: { readonly stage: Stage; readonly size: number }) {
    this.#options = options;
  }

  get url(): string {
    return this.#url;
  }

  async start(): Promise<void> {
    const { stage, size } = this.#options;
    const port = this.#url === "" ? 0 : Number(new URL(this.#url).port);
    const setup = JSON.stringify({ valkey: stage.valkeyUrl, prefix: stage.prefix, port, size });
    const child = spawn(process.execPath, ["--conditions=development", program, setup], { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    this.#url = line.toString().trim();
  }

  /** SIGTERM has it drain, SIGKILL has it say nothing. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
}
