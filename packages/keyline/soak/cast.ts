import { spawn, type ChildProcess } from "node:child_process";
import { createWriteStream, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RoleSettings } from "./site.ts";

export type Role = RoleSettings["role"];

/** One process of the cast, in the place that it has. */
export interface Actor {
  readonly role: Role;
  readonly slot: string;
  readonly proc: string;
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
  /** Its end was asked for, by a fault or by the soak itself. */
  isExpectedToEnd: boolean;
}

export interface CastSetup {
  readonly seed: number;
  readonly folder: string;
  readonly prefix: string;
  /** The addresses for one place: not all processes share a wire. */
  addressesOf(slot: number): { readonly valkey: string; readonly postgres: string };
}

const script = fileURLToPath(new URL("role.ts", import.meta.url));

/** The processes of the soak: starts them, and starts another wherever one has ended. */
export class Cast {
  /** Processes that ended in a way that nobody asked for. */
  readonly crashes: string[] = [];
  readonly #setup: CastSetup;
  readonly #actors = new Map<string, Actor>();
  readonly #started = new Map<string, number>();
  #isClosing = false;
  isCalm = true;

  constructor(setup: CastSetup) {
    this.#setup = setup;
  }

  get actors(): readonly Actor[] {
    return [...this.#actors.values()];
  }

  of(role: Role): readonly Actor[] {
    return this.actors.filter((actor) => actor.role === role);
  }

  start(role: Role, place: number): Actor {
    const slot = `${role}${place}`;
    const number = (this.#started.get(slot) ?? 0) + 1;
    this.#started.set(slot, number);
    const proc = `${slot}.${number}`;
    const { seed, folder, prefix, addressesOf } = this.#setup;
    const settings: RoleSettings = { role, slot, proc, seed, folder, prefix, isCalm: this.isCalm, ...addressesOf(place) };
    const child = spawn(
      process.execPath,
      ["--conditions=development", "--disable-warning=ExperimentalWarning", script, JSON.stringify(settings)],
      {
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    child.stderr.pipe(createWriteStream(join(folder, `${proc}.log`)));
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const actor: Actor = { role, slot, proc, child, exited, isExpectedToEnd: false };
    this.#actors.set(slot, actor);
    void exited.then(() => this.#replace(actor, place));
    return actor;
  }

  /** SIGKILL. Another process has its place when this resolves. */
  async kill(actor: Actor): Promise<void> {
    actor.isExpectedToEnd = true;
    actor.child.kill("SIGKILL");
    await actor.exited;
  }

  /** SIGTERM. Resolves when the process has ended, with whether it did so in order and in time. */
  async end(actor: Actor, withinMs: number): Promise<boolean> {
    actor.isExpectedToEnd = true;
    actor.child.kill("SIGTERM");
    const timer = setTimeout(() => actor.child.kill("SIGKILL"), withinMs);
    await actor.exited;
    clearTimeout(timer);
    // One that SIGTERM itself has ended had only just been started.
    return actor.child.exitCode === 0 || actor.child.signalCode === "SIGTERM";
  }

  /** Ends all of a role in order, and has nobody take their places. Names those that did not end by themselves in time. */
  async dismiss(role: Role, withinMs: number): Promise<string[]> {
    const leaving = this.of(role);
    for (const { slot } of leaving) this.#actors.delete(slot);
    const ended = await Promise.all(leaving.map((actor) => this.end(actor, withinMs)));
    return leaving.filter((_, index) => !ended[index]).map(({ proc }) => proc);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const { child } of this.actors) child.kill("SIGKILL");
    await Promise.all(this.actors.map(({ exited }) => exited));
  }

  #replace(actor: Actor, place: number): void {
    const { exitCode, signalCode } = actor.child;
    // A job that kills its worker does so with SIGKILL.
    const isKilled = signalCode === "SIGKILL" && actor.role === "worker";
    if (!actor.isExpectedToEnd && !isKilled && !this.#isClosing) this.crashes.push(`${actor.proc} ended with ${signalCode ?? exitCode}`);
    if (this.#isClosing || this.#actors.get(actor.slot) !== actor) return;
    this.start(actor.role, place);
  }
}

/** How many sockets a process has open: what is not given back grows here first. */
export function socketsOf({ child }: Actor): number {
  const folder = `/proc/${child.pid}/fd`;
  try {
    return readdirSync(folder).filter((fd) => isSocket(join(folder, fd))).length;
  } catch {
    return 0;
  }
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith("socket:");
  } catch {
    return false;
  }
}
