import { isLent } from "../postgres/client/lent-client.ts";
import type { Door } from "../runtime/door.ts";
import { KeylineError, toError } from "../runtime/errors.ts";
import { lengthOf, type Seam } from "../runtime/probe.ts";
import type { Sighting } from "../valkey/directory/sightings.ts";
import type { Appended, OutgoingEntry } from "../valkey/stream/stream-log.ts";
import type { Appender } from "./appender.ts";
import { checkEvent, type CheckedEvent, type EventRules } from "./event-check.ts";
import { checkAppendOptions, type AppendResult, type StreamPolicy, type TransactionalAppendOptions } from "./options.ts";
import type { TransactionalAppender } from "./transactional-appender.ts";

/** What a stream's appends need. */
export interface AppendsParts {
  readonly policy: StreamPolicy;
  readonly rules: EventRules;
  readonly sighting: Sighting;
  readonly appender: Appender | TransactionalAppender;
  /** Only on a transactional stream. */
  readonly transactionalAppender: TransactionalAppender | undefined;
  readonly door: Door;
  readonly seam: Seam;
}

type Within = Pick<TransactionalAppendOptions, "tx">;

const noOptions = {};

/** The way of events into a stream: they are checked, and go to the appender that their options ask for. */
export class Appends {
  readonly #stream: string;
  readonly #parts: AppendsParts;

  constructor(stream: string, parts: AppendsParts) {
    this.#stream = stream;
    this.#parts = parts;
  }

  append(event: unknown, options: TransactionalAppendOptions = noOptions): Promise<AppendResult> {
    const { probe } = this.#parts.seam;
    if (!probe) return this.#append(event, options, undefined);
    return probe.send({ place: this.#stream, count: undefined }, (trace) => this.#append(event, options, trace));
  }

  appendMany(events: readonly unknown[], options: Within = noOptions): Promise<AppendResult[]> {
    const { probe } = this.#parts.seam;
    if (!probe) return this.#appendMany(events, options, undefined);
    return probe.send({ place: this.#stream, count: lengthOf(events) }, (trace) => this.#appendMany(events, options, trace));
  }

  #append(event: unknown, options: TransactionalAppendOptions, trace: string | undefined): Promise<AppendResult> {
    try {
      const { door } = this.#parts;
      if (options !== noOptions) checkAppendOptions(options);
      if (options.tx === undefined || !isLent(options.tx)) door.check();
      const checked = checkEvent(this.#parts.rules, event);
      if (checked instanceof Promise) return door.follow(this.#appendSoon(checked, options, trace));
      return this.#appendChecked(checked, options, trace);
    } catch (error) {
      return Promise.reject(toError(error));
    }
  }

  #appendMany(events: readonly unknown[], options: Within, trace: string | undefined): Promise<AppendResult[]> {
    try {
      const { door } = this.#parts;
      checkAppendOptions(options);
      if (options.tx === undefined || !isLent(options.tx)) door.check();
      if ("idempotencyKey" in options)
        throw new KeylineError("INVALID_OPTION", "appendMany takes no idempotencyKey: a key is for one event");
      const checked = events.map((event) => checkEvent(this.#parts.rules, event));
      if (checked.every((event): event is CheckedEvent => !(event instanceof Promise))) return this.#sendMany(checked, options, trace);
      return door.follow(this.#sendManySoon(checked, options, trace));
    } catch (error) {
      return Promise.reject(toError(error));
    }
  }

  async #appendSoon(event: Promise<CheckedEvent>, options: TransactionalAppendOptions, trace: string | undefined): Promise<AppendResult> {
    return this.#appendChecked(await event, options, trace);
  }

  async #appendChecked(
    event: CheckedEvent,
    { idempotencyKey, tx }: TransactionalAppendOptions,
    trace: string | undefined,
  ): Promise<AppendResult> {
    const once = idempotencyKey === undefined ? undefined : { key: idempotencyKey, windowMs: this.#parts.policy.idempotencyWindowMs };
    const [result] = await this.#send([trace === undefined ? { ...event, once } : { ...event, once, trace }], { tx });
    if (!result) throw new Error("an append was not answered");
    return result;
  }

  async #sendManySoon(
    events: readonly (CheckedEvent | Promise<CheckedEvent>)[],
    options: Within,
    trace: string | undefined,
  ): Promise<AppendResult[]> {
    return this.#sendMany(await Promise.all(events.map(async (event) => event)), options, trace);
  }

  async #sendMany(events: readonly CheckedEvent[], options: Within, trace: string | undefined): Promise<AppendResult[]> {
    return events.length === 0
      ? []
      : this.#send(
          events.map((event) => (trace === undefined ? { ...event, once: undefined } : { ...event, once: undefined, trace })),
          options,
        );
  }

  async #send(entries: readonly OutgoingEntry[], { tx }: Within): Promise<Appended[]> {
    const { appender, transactionalAppender, sighting } = this.#parts;
    sighting.touch();
    if (tx === undefined) return appender.append(entries);
    if (!transactionalAppender) {
      throw new KeylineError(
        "NOT_TRANSACTIONAL",
        `Stream ${this.#stream} is not transactional: make it with { transactional: true } to append within a transaction`,
      );
    }
    return this.#parts.door.follow(transactionalAppender.appendWithin(tx, entries));
  }
}
