import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "./waiting.ts";
import type { Actor, Cast } from "./cast.ts";
import type { FaultKind, PlannedFault } from "./plan.ts";
import { leaseMs } from "./site.ts";
import { prefix, type SoakStage } from "./stage.ts";

/** A fault as it happened. */
export interface Struck {
  readonly kind: FaultKind | "heal";
  /** What it hit. */
  readonly target: string;
  readonly from: number;
  readonly to: number;
  /** What proves that it did something; undefined where it found nothing to break. */
  readonly proof: string | undefined;
}

/** What Valkey forgot: answers that were given between these moments may be gone with it. */
export interface Forgotten {
  readonly from: number;
  readonly to: number;
  /** Of the newest alone: then a reader who had not got there cannot know of it, unless runs of the server are told apart. */
  readonly isTail: boolean;
}

/** The server says each second what is on its disk; what came since may be with the kernel or, behind a slow disk, with nobody. */
const unsyncedMs = 3_000;

/** Breaks things, and writes down what it broke. One fault at a time; some of them last on while the next one comes. */
export class Nemesis {
  readonly struck: Struck[] = [];
  readonly forgotten: Forgotten[] = [];
  /** Texts that are no jobs, by queue. */
  readonly junk: string[] = [];
  /** Processes that did not end in order when they were asked to. */
  readonly unwilling: string[] = [];
  readonly #stage: SoakStage;
  readonly #cast: Cast;
  #copiedAt = 0;

  constructor(stage: SoakStage, cast: Cast) {
    this.#stage = stage;
    this.#cast = cast;
  }

  async strike(fault: PlannedFault): Promise<void> {
    const from = Date.now();
    const [target, proof] = await this.#strike(fault);
    this.struck.push({ kind: fault.kind, target, from, to: Date.now(), proof });
  }

  async #strike(fault: PlannedFault): Promise<[target: string, proof: string | undefined]> {
    const { kind, forMs, line, server, dice, times, text } = fault;
    const { lines, valkeyServer } = this.#stage;
    const wire = lines[line]?.[server];
    const name = `line ${line} to ${server}`;
    switch (kind) {
      case "kill":
        return this.#onActor(fault, async (actor) => {
          await this.#cast.kill(actor);
          return `signal ${actor.child.signalCode}`;
        });
      case "stop":
        return this.#onActor(fault, async ({ child, exited }) => {
          child.kill("SIGSTOP");
          await Promise.race([sleep(leaseMs * 1.3 + forMs), exited]);
          child.kill("SIGCONT");
          return `for ${Math.round(leaseMs * 1.3 + forMs)} ms`;
        });
      case "terminate":
        return this.#onActor({ ...fault, role: fault.role === "producer" ? "worker" : fault.role }, async (actor) => {
          if (!(await this.#cast.end(actor, 40_000))) this.unwilling.push(actor.proc);
          return `exit code ${actor.child.exitCode}`;
        });
      case "flush":
        return ["valkey", await this.#flush()];
      case "kill-valkey":
      case "wipe-valkey":
      case "restore-older":
        return ["valkey", await this.#restartValkey(kind, forMs)];
      case "copy-memory":
        this.#stage.copyMemory();
        this.#copiedAt = Date.now();
        return ["valkey", undefined];
      case "freeze-valkey":
        valkeyServer.pause();
        await sleep(forMs);
        valkeyServer.resume();
        return ["valkey", `for ${forMs} ms`];
      case "restart-postgres":
      case "kill-postgres":
      case "kill-session":
        return ["postgres", await this.#restartPostgres(kind)];
      case "end-sessions":
        return ["postgres", await this.#endSessions(times * 2)];
      case "cut": {
        const before = wire?.cuts ?? 0;
        wire?.cutAll();
        return [name, proofOf((wire?.cuts ?? 0) - before, "connections")];
      }
      case "half-open": {
        const before = wire?.stalls ?? 0;
        wire?.stallAll();
        await sleep(forMs);
        wire?.passAll();
        return [name, proofOf((wire?.stalls ?? 0) - before, "connections")];
      }
      case "refuse": {
        await wire?.refuse(true);
        wire?.cutAll();
        await sleep(forMs * 1.5);
        await wire?.refuse(false);
        return [name, `for ${Math.round(forMs * 1.5)} ms`];
      }
      case "swallow":
      case "cut-before": {
        const proxy = lines[line]?.[isForPostgres(text) ? "postgres" : "valkey"];
        if (!proxy) return [name, undefined];
        const count = (): number => (kind === "swallow" ? proxy.swallowed : proxy.cuts);
        const before = count();
        const match = (bytes: Buffer): boolean => bytes.includes(text);
        if (kind === "swallow") proxy.swallowReply(match, { andThen: dice < 0.3 ? "stall" : "cut", times });
        else proxy.cutBeforeForward(match, { times });
        await eventually(() => count() >= before + times, 4_000);
        proxy.passAll();
        return [`${text} on line ${line}`, proofOf(count() - before, kind === "swallow" ? "answers" : "requests")];
      }
      case "duplicate":
        return ["orders", await this.#duplicate(times * 5)];
      case "junk":
        return [dice < 0.5 ? "orders" : "mails", await this.#pushJunk(dice < 0.5 ? "orders" : "mails")];
    }
  }

  async #onActor({ role, dice }: PlannedFault, work: (actor: Actor) => Promise<string>): Promise<[string, string | undefined]> {
    const actors = this.#cast.of(role);
    const actor = actors[Math.floor(dice * actors.length)];
    return actor ? [actor.proc, await work(actor)] : [role, undefined];
  }

  async #flush(): Promise<string | undefined> {
    const { valkey } = this.#stage;
    const keys = await valkey.dbsize();
    await valkey.flushall();
    this.forgotten.push({ from: 0, to: Date.now(), isTail: false });
    return proofOf(keys, "keys");
  }

  async #restartValkey(kind: "kill-valkey" | "wipe-valkey" | "restore-older", forMs: number): Promise<string> {
    const { valkeyServer, valkey } = this.#stage;
    const [keys, run] = [await valkey.dbsize(), valkeyServer.pid];
    const killedAt = Date.now();
    await valkeyServer.kill();
    const isOlder = kind === "restore-older" && this.#stage.hasCopy;
    if (kind === "wipe-valkey") this.#stage.replaceMemory("nothing");
    if (isOlder) this.#stage.replaceMemory("copy");
    await sleep(forMs / 2);
    await valkeyServer.restart();
    const from = kind === "wipe-valkey" ? 0 : (isOlder ? this.#copiedAt : killedAt) - unsyncedMs;
    this.forgotten.push({ from, to: Date.now(), isTail: kind !== "wipe-valkey" });
    return `process ${run} became ${valkeyServer.pid}, ${keys} keys became ${await valkey.dbsize()}`;
  }

  /** As by an impatient administrator, by a power cut, or by the kernel that kills one session: then the server takes down all the others itself. */
  async #restartPostgres(kind: "restart-postgres" | "kill-postgres" | "kill-session"): Promise<string> {
    const { postgresServer, pool } = this.#stage;
    const started = async (): Promise<string> =>
      (await pool.query<{ at: string }>("SELECT pg_postmaster_start_time()::text AS at")).rows[0]?.at ?? "";
    const sessions = async (): Promise<string> =>
      (await pool.query<{ at: string }>("SELECT min(backend_start)::text AS at FROM pg_stat_activity WHERE backend_type = 'checkpointer'"))
        .rows[0]?.at ?? "";
    const before = [await started(), await sessions()];
    if (kind === "kill-session") {
      const { rows } = await pool.query<{ pid: number }>("SELECT pid FROM pg_stat_activity WHERE application_name = 'keyline' LIMIT 1");
      if (rows[0]) process.kill(rows[0].pid, "SIGKILL");
    } else {
      if (kind === "kill-postgres") await postgresServer.kill();
      await postgresServer.restart("immediate");
    }
    const isAnother = async (): Promise<boolean> => String([await started(), await sessions()]) !== String(before);
    const isBack = await eventually(() => isAnother().catch(() => false), 30_000);
    return isBack ? "all sessions ended, and it recovered" : "it did not come back";
  }

  async #endSessions(count: number): Promise<string | undefined> {
    const { rows } = await this.#stage.pool.query<{ ended: boolean }>(
      `SELECT pg_terminate_backend(pid) AS ended FROM (
         SELECT pid FROM pg_stat_activity WHERE application_name = 'keyline' AND client_port IS NOT NULL
         ORDER BY state LIKE 'idle in transaction%' DESC, random() LIMIT $1) AS chosen`,
      [count],
    );
    return proofOf(rows.length, "sessions");
  }

  /** Pushes jobs a second time that wait or run. */
  async #duplicate(count: number): Promise<string | undefined> {
    const { valkey } = this.#stage;
    const key = (name: string): string => `${prefix}:{orders}:${name}`;
    const workers = await valkey.zrange(key("workers"), 0, -1);
    const lists = await Promise.all(
      [key("waiting"), ...workers.map((worker) => key(`held:${worker}`))].map((list) => valkey.lrange(list, 0, count)),
    );
    const elements = lists.flat().slice(0, count);
    for (const element of elements) {
      await valkey.rpush(key("waiting"), element);
    }
    return proofOf(elements.length, "copies");
  }

  async #pushJunk(queue: "orders" | "mails"): Promise<string> {
    const text = `{"id":"junk-${this.junk.length}","data":`;
    this.junk.push(text);
    await this.#stage.valkey.lpush(`${prefix}:{${queue}}:waiting`, text);
    return text;
  }
}

function isForPostgres(text: string): boolean {
  return text === "COMMIT" || text.startsWith("keyline-");
}

function proofOf(count: number, what: string): string | undefined {
  return count > 0 ? `${count} ${what}` : undefined;
}
