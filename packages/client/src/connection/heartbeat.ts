import type { Environment } from "../runtime/environment.ts";

interface HeartbeatParts {
  /** How often the gateway lets itself be heard when it has nothing else to say. */
  readonly beatMs: number;
  readonly environment: Environment;
  ping(): void;
  onDead(): void;
}

const answerMs = 5_000;

/**
 * Notices that a connection is dead though nobody closed it: a network that was switched, a machine that slept, a gateway that hangs.
 *
 * 1. After 2.5 beats of silence the connection is given up.
 * 2. When this look itself comes late, the machine slept or the page was throttled, and the silence says nothing: what the gateway
 *    sent may still wait to be read. Then, and whenever the page or the network comes back, it is asked, and has 5 s to answer.
 */
export class Heartbeat {
  readonly #parts: HeartbeatParts;
  #heardAt: number;
  #cancelLook: () => void;
  #cancelProbe: (() => void) | undefined;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    this.#heardAt = parts.environment.now();
    this.#cancelLook = this.#lookLater();
  }

  heard(): void {
    this.#heardAt = this.#parts.environment.now();
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
  }

  /** Asks for an answer, and takes its absence for death. */
  probe(): void {
    if (this.#cancelProbe) return;
    this.#cancelProbe = this.#parts.environment.after(answerMs, () => this.#parts.onDead());
    this.#parts.ping();
  }

  stop(): void {
    this.#cancelLook();
    this.#cancelProbe?.();
  }

  #lookLater(): () => void {
    const { environment, beatMs, onDead } = this.#parts;
    const begunAt = environment.now();
    return environment.after(beatMs / 2, () => {
      const now = environment.now();
      this.#cancelLook = this.#lookLater();
      if (now - begunAt > 1.5 * beatMs) this.probe();
      else if (!this.#cancelProbe && now - this.#heardAt > 2.5 * beatMs) onDead();
    });
  }
}
