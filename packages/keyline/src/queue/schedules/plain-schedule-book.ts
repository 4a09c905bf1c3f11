import { parseJson } from "../../runtime/json.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { explainSend } from "../../valkey/client/faults.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { encodeElement } from "../element.ts";
import type { DueSchedules, ScheduleBook, ScheduleRun, TickedSchedule } from "./schedule-book.ts";
import { dueAt, tickId, type ScheduleState } from "./schedule-state.ts";

const page = 50;
const readyWithinMs = 5_000;

/** The schedules of a plain queue, on Valkey: each is a text that begins with its revision and its next tick. */
export class PlainScheduleBook implements ScheduleBook {
  readonly #store: QueueStore;
  readonly #queue: string;
  readonly #logger: Logger;

  constructor(store: QueueStore, { queue, logger }: { readonly queue: string; readonly logger: Logger }) {
    this.#store = store;
    this.#queue = queue;
    this.#logger = logger;
  }

  async read(name: string): Promise<{ readonly now: number; readonly state: ScheduleState | undefined }> {
    await this.#store.connection.ensureReady(readyWithinMs);
    const { now, text } = await this.#store.ticks.read(name);
    return { now, state: text === undefined ? undefined : decode(name, text) };
  }

  declare(before: ScheduleState | undefined, after: ScheduleState): Promise<boolean> {
    return this.#insure("declared", () =>
      this.#store.ticks.keep(after.name, { begins: before ? beginning(before) : "", text: encode(after), nextAt: dueAt(after) }),
    );
  }

  async tick(schedules: readonly TickedSchedule[], now: number): Promise<ReadonlySet<string>> {
    const made = await Promise.all(schedules.map((one) => this.#tick(one, now)));
    return new Set(schedules.flatMap(({ after: { name } }, index) => (made[index] === true ? [name] : [])));
  }

  run(state: ScheduleState, { id, tick, now }: ScheduleRun): Promise<boolean> {
    const element = encodeElement({ id, dataJson: state.dataJson, at: now, schedule: JSON.stringify(tick) });
    const unchanged = { begins: beginning(state), text: encode(state), nextAt: dueAt(state) };
    return this.#insure("run", () => this.#store.ticks.keep(state.name, unchanged, [element]));
  }

  remove(name: string): Promise<boolean> {
    return this.#insure("removed", () => this.#store.ticks.remove(name));
  }

  pages(): () => Promise<readonly ScheduleState[] | undefined> {
    let names: string[] | undefined;
    return async () => {
      await this.#store.connection.ensureReady(readyWithinMs);
      names ??= await this.#store.ticks.names();
      const some = names.splice(0, page);
      return some.length > 0 ? this.#decodeAll(await this.#store.ticks.texts(some)) : undefined;
    };
  }

  async due(): Promise<DueSchedules> {
    const { now, nextMs, texts } = await this.#store.ticks.due(page);
    return { now, nextMs, due: this.#decodeAll(texts) };
  }

  #tick({ before, after, ticks }: TickedSchedule, now: number): Promise<boolean> {
    const elements = ticks.map((tick) =>
      encodeElement({ id: tickId(tick), dataJson: before.dataJson, at: now, schedule: JSON.stringify(tick) }),
    );
    return this.#store.ticks.keep(after.name, { begins: beginning(before), text: encode(after), nextAt: after.nextAt }, elements);
  }

  async #insure<Result>(done: "declared" | "run" | "removed", send: () => Promise<Result>): Promise<Result> {
    await this.#store.connection.ensureReady(readyWithinMs);
    try {
      return await send();
    } catch (error) {
      const advice = done === "run" ? "Another call may add another job" : "The same call can be made again";
      const unknown = `The connection to Valkey broke while a schedule of queue ${this.#queue} was ${done}: it is, or it is not. ${advice}`;
      throw explainSend(error, unknown);
    }
  }

  /** One that cannot be read, as of a writer that is no Keyline, does not hold up the others. */
  #decodeAll(texts: readonly (readonly [name: string, text: string])[]): ScheduleState[] {
    return texts.flatMap(([name, text]) => {
      try {
        return [decode(name, text)];
      } catch (error) {
        this.#logger.warn({ error: toError(error).message, queue: this.#queue, schedule: name }, "a schedule cannot be read");
        return [];
      }
    });
  }
}

/** What a script knows a state by. */
function beginning({ revision, nextAt }: ScheduleState): string {
  return `{"revision":"${revision}","nextAt":${nextAt ?? "null"},`;
}

function encode(state: ScheduleState): string {
  const { paused, lastAt, ticks, since, spec, dataJson } = state;
  const head = `${beginning(state)}"lastAt":${lastAt ?? "null"},"ticks":${ticks},"since":${since}${paused ? ',"paused":true' : ""}`;
  return `${head},"spec":${JSON.stringify(spec)},"data":${dataJson}}`;
}

function decode(name: string, text: string): ScheduleState {
  const fields = parseJson(text) as Omit<ScheduleState, "name" | "nextAt" | "paused" | "lastAt" | "dataJson"> & {
    readonly nextAt: number | null;
    readonly lastAt: number | null;
    readonly paused?: boolean;
    readonly data: unknown;
  };
  const { revision, nextAt, paused, lastAt, ticks, since, spec, data } = fields;
  const state = {
    name,
    revision,
    nextAt: nextAt ?? undefined,
    paused: paused === true,
    lastAt: lastAt ?? undefined,
    ticks,
    since,
    spec,
    dataJson: JSON.stringify(data),
  };
  if (typeof spec !== "object" || !text.startsWith(beginning(state))) throw new Error("it is not written as Keyline writes it");
  return state;
}
