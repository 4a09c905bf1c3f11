import type { StandardSchemaV1 } from "@standard-schema/spec";
import { KeylineError, toError } from "../runtime/errors.ts";
import { parseJson } from "../runtime/json.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Seam } from "../runtime/probe.ts";
import { validate } from "../runtime/schema.ts";
import type { Entry, RawEntry } from "./entry.ts";
import { timeOf } from "./entry-id.ts";

/** Makes entries out of raw ones: the data as the schema returns it. */
export class EntryReader<Data> {
  readonly #stream: string;
  readonly #schema: StandardSchemaV1<unknown, Data> | undefined;
  readonly #logger: Logger;
  readonly #seam: Seam;

  constructor(
    stream: string,
    {
      schema,
      logger,
      seam,
    }: { readonly schema: StandardSchemaV1<unknown, Data> | undefined; readonly logger: Logger; readonly seam: Seam },
  ) {
    this.#stream = stream;
    this.#schema = schema;
    this.#logger = logger;
    this.#seam = seam;
  }

  /** Throws INVALID_ELEMENT for what is no entry, and ValidationError. */
  parse(raw: RawEntry): Entry<Data> | Promise<Entry<Data>> {
    const value = parseData(this.#stream, raw);
    if (!this.#schema) return toEntry(raw, value as Data);
    const valid = validate(`stream ${this.#stream}`, this.#schema, value);
    return valid instanceof Promise ? valid.then((data) => toEntry(raw, data)) : toEntry(raw, valid);
  }

  /** The same as `readAll`, for somebody who asked for these entries himself. */
  receiveAll(raws: readonly RawEntry[]): Promise<Entry<Data>[]> {
    const { probe } = this.#seam;
    if (probe && raws.length > 0) {
      probe.receive({ place: this.#stream, isBatch: true, ids: raws.map(({ id }) => id), traces: raws.map(({ trace }) => trace) });
    }
    return this.readAll(raws);
  }

  /** The entries that are in order; a line in the log for each that is not. */
  async readAll(raws: readonly RawEntry[]): Promise<Entry<Data>[]> {
    const entries: Entry<Data>[] = [];
    for (const raw of raws) {
      try {
        const entry = this.parse(raw);
        entries.push(entry instanceof Promise ? await entry : entry);
      } catch (error) {
        this.#logger.warn({ stream: this.#stream, id: raw.id, error: toError(error).message }, "an entry that cannot be read was skipped");
      }
    }
    return entries;
  }
}

function parseData(stream: string, { id, data }: RawEntry): unknown {
  if (data === undefined) throw new KeylineError("INVALID_ELEMENT", `Entry ${id} of stream ${stream} has no field "data"`);
  try {
    return parseJson(data);
  } catch (cause) {
    throw new KeylineError("INVALID_ELEMENT", `The data of entry ${id} of stream ${stream} is not JSON: ${toError(cause).message}`, {
      cause,
    });
  }
}

function toEntry<Data>({ id, key }: RawEntry, data: Data): Entry<Data> {
  return { id, data, at: timeOf(id), key };
}
