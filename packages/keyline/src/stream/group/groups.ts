import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { GroupCounts } from "../../runtime/counters.ts";
import type { Door } from "../../runtime/door.ts";
import { withFields, type Logger } from "../../runtime/logger.ts";
import type { Seam } from "../../runtime/probe.ts";
import { checkName } from "../../runtime/names.ts";
import type { ValkeyConnection } from "../../valkey/client/connection.ts";
import type { Sighting } from "../../valkey/directory/sightings.ts";
import type { Rehearsal } from "../../work/shift-parts.ts";
import { GroupAdmin } from "../../valkey/stream/group-admin.ts";
import { GroupLog } from "../../valkey/stream/group-log.ts";
import type { StreamKeys } from "../../valkey/stream/keys.ts";
import { GroupTable, listGroups } from "../../postgres/event/group-table.ts";
import { Consumer } from "./consumer.ts";
import { GroupRecord, type RecordedEvents } from "./group-record.ts";
import { GroupLags } from "./group-lags.ts";
import { Group, readStatus, type GroupParts, type GroupStatus } from "./group.ts";
import type { Tails } from "./arrivals.ts";
import type { StreamTally } from "../stream-tally.ts";
import { toPolicy, type ConsumeOptions } from "./options.ts";
import type { ConsumeHandler } from "./entry-settle.ts";
import { asRead } from "../../valkey/client/as-read.ts";

/** What a stream gives its consumer groups to work with. */
export interface GroupsParts {
  readonly stream: string;
  readonly keys: StreamKeys;
  readonly connection: ValkeyConnection;
  readonly tails: Tails;
  readonly schema: StandardSchemaV1 | undefined;
  /** The stream's entries have keys: those of one key run one after the other. */
  readonly hasKeys: boolean;
  /** Only on a transactional stream. */
  readonly events?: RecordedEvents | undefined;
  readonly sighting?: Sighting | undefined;
  readonly tally?: StreamTally | undefined;
  readonly rehearsal?: Rehearsal | undefined;
  readonly logger: Logger;
  readonly door: Door;
  readonly seam: Seam;
}

/** The consumer groups of one stream. */
export class Groups {
  readonly #parts: GroupsParts;
  readonly #admin: GroupAdmin;
  readonly #lags: GroupLags;
  readonly #consumers = new Set<{ stop(options?: { readonly timeout?: number }): Promise<void> }>();

  constructor(parts: GroupsParts) {
    this.#parts = parts;
    this.#admin = new GroupAdmin(parts.connection, parts.keys);
    this.#lags = new GroupLags(parts.events);
  }

  /** Runs `handler` for each entry that the group has not finished, until the consumer is stopped. Throws INVALID_NAME and INVALID_OPTION. */
  consume<Data>(name: string, handler: ConsumeHandler<Data>, options: ConsumeOptions = {}): Consumer<Data> {
    const { stream, connection, keys, tails, hasKeys, events, rehearsal } = this.#parts;
    const logger = withFields(this.#parts.logger, { group: name });
    this.#parts.door.checkOpen();
    events?.database.require();
    checkName("consumer group", name);
    const log = new GroupLog(connection, keys.group(name), { name, hasKeys });
    const table = this.#tableOf(name);
    const consumer = new Consumer<Data>({
      stream,
      log,
      record: events && table && new GroupRecord(log, { table, events, logger }),
      rehearsal,
      counts: this.#countsOf(name),
      tails,
      policy: toPolicy(options),
      schema: this.#parts.schema as StandardSchemaV1<unknown, Data> | undefined,
      handler,
      tally: this.#parts.tally,
      logger,
      seam: this.#parts.seam,
      onStopped: () => {
        this.#consumers.delete(consumer);
        release?.();
      },
    });
    const release = this.#parts.sighting?.hold();
    this.#consumers.add(consumer);
    return consumer;
  }

  /** The group of that name, which need not have a consumer here. Throws INVALID_NAME. */
  group(name: string): Group {
    return new Group(checkName("consumer group", name), this.#partsOf(name));
  }

  /** All groups of the stream, by name. */
  status(): Promise<GroupStatus[]> {
    return this.#parts.door.accept(() => asRead(this.#status()));
  }

  async #status(): Promise<GroupStatus[]> {
    await this.#parts.connection.ensureReady(5_000);
    const { events, stream } = this.#parts;
    const names = new Set([...(await this.#admin.names()), ...(events ? await listGroups(events.database, stream) : [])]);
    const all = await Promise.all([...names].sort().map((name) => readStatus(name, this.#partsOf(name))));
    return all.filter((one) => one !== undefined);
  }

  #partsOf(name: string): GroupParts {
    const logger = withFields(this.#parts.logger, { group: name });
    return { ...this.#parts, logger, events: this.#parts.events, admin: this.#admin, lags: this.#lags, table: this.#tableOf(name) };
  }

  #countsOf(group: string): GroupCounts {
    const { seam, stream } = this.#parts;
    return seam.counters.stream(stream).group(group);
  }

  #tableOf(group: string): GroupTable | undefined {
    const { events, stream } = this.#parts;
    return events && new GroupTable(events.database, { stream, group, counts: this.#countsOf(group) });
  }

  get areWorking(): boolean {
    return this.#consumers.size > 0;
  }

  /** Stops all consumers. */
  async stopWorking(options: { readonly timeout?: number } = {}): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop(options)));
  }
}
