import type { MessageOutlet } from "../postgres/message/message-relay.ts";
import type { MessageRow } from "../postgres/message/message-table.ts";
import type { ChannelLog } from "../valkey/channel/channel-log.ts";
import type { ValkeyConnection } from "../valkey/client/connection.ts";

const pageMessages = 100;
const pageLength = 1_048_576;

/** Publishes committed messages for the relay, in scripts of up to a hundred messages. */
export class OutboxOutlet implements MessageOutlet {
  readonly #connection: ValkeyConnection;
  readonly #logOf: (channel: string) => ChannelLog;
  readonly #noteOut: (channel: string, messages: number) => void;

  constructor(
    connection: ValkeyConnection,
    parts: { readonly logOf: (channel: string) => ChannelLog; readonly noteOut: (channel: string, messages: number) => void },
  ) {
    this.#connection = connection;
    this.#logOf = parts.logOf;
    this.#noteOut = parts.noteOut;
  }

  get isOpen(): boolean {
    return this.#connection.isReady;
  }

  async publishRows(channel: string, rows: readonly MessageRow[]): Promise<void> {
    const log = this.#logOf(channel);
    for (const page of pagesOf(rows)) {
      const [first] = page;
      if (!first) continue;
      const messages = page.map(({ id, data, at, number, trace }) => ({ id, dataJson: data, at, number, trace: trace ?? undefined }));
      const { outbox, history_size: size, history_ttl: ttl } = first;
      if (size === null) await log.publish(messages, outbox);
      else await log.publishKept(messages, { size, ttlMs: Number(ttl) }, outbox);
      this.#noteOut(channel, page.length);
    }
  }
}

/** Rows that can be published with one script. Those of one channel may have been written with different options, as while a deployment goes on. */
function* pagesOf(rows: readonly MessageRow[]): Generator<MessageRow[]> {
  let page: MessageRow[] = [];
  let length = 0;
  for (const row of rows) {
    const [first] = page;
    const isAlike =
      !first || (row.outbox === first.outbox && row.history_size === first.history_size && row.history_ttl === first.history_ttl);
    if (!isAlike || page.length === pageMessages || length >= pageLength) {
      yield page;
      page = [];
      length = 0;
    }
    page.push(row);
    length += row.data.length;
  }
  if (page.length > 0) yield page;
}
