import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Logger } from "../../runtime/logger.ts";
import { checkName } from "../../runtime/names.ts";
import type { ValkeyConnection } from "../../valkey/connection.ts";
import { GroupAdmin } from "../../valkey/group-admin.ts";
import { GroupLog } from "../../valkey/group-log.ts";
import type { StreamKeys } from "../../valkey/keys.ts";
import { Consumer } from "./consumer.ts";
import { Group, readStatus, type GroupStatus } from "./group.ts";
import type { Tails } from "./news.ts";
import { toPolicy, type ConsumeOptions } from "./options.ts";
import type { ConsumeHandler } from "./runner.ts";

/** What a stream gives its consumer groups to work with. */
export interface GroupsParts {
  readonly stream: string;
  readonly keys: StreamKeys;
  readonly connection: ValkeyConnection;
  readonly tails: Tails;
  readonly schema: StandardSchemaV1 | undefined;
  /** The stream's entries have keys: those of one key run one after the other. */
  readonly hasKeys: boolean;
  readonly logger: Logger;
  checkOpen(): void;
}

/** The consumer groups of one stream. */
export class Groups {
  readonly #parts: GroupsParts;
  readonly #admin: GroupAdmin;
  readonly #consumers = new Set<{ stop(): Promise<void> }>();

  constructor(parts: GroupsParts) {
    this.#parts = parts;
    this.#admin = new GroupAdmin(parts.connection, parts.keys);
  }

  /** Runs `handler` for each entry that the group has not finished, until the consumer is stopped. Throws INVALID_NAME and INVALID_OPTION. */
  consume<Data>(name: string, handler: ConsumeHandler<Data>, options: ConsumeOptions = {}): Consumer<Data> {
    const { stream, connection, keys, tails, hasKeys, logger } = this.#parts;
    this.#parts.checkOpen();
    checkName("consumer group", name);
    const consumer = new Consumer<Data>({
      stream,
      log: new GroupLog(connection, keys.group(name), { name, hasKeys }),
      tails,
      policy: toPolicy(options),
      schema: this.#parts.schema as StandardSchemaV1<unknown, Data> | undefined,
      handler,
      logger,
      onStopped: () => this.#consumers.delete(consumer),
    });
    this.#consumers.add(consumer);
    return consumer;
  }

  /** The group of that name, which need not have a consumer here. Throws INVALID_NAME. */
  group(name: string): Group {
    return new Group(checkName("consumer group", name), { ...this.#parts, admin: this.#admin });
  }

  /** All groups of the stream, by name. */
  async status(): Promise<GroupStatus[]> {
    this.#parts.checkOpen();
    await this.#parts.connection.ensureReady(5_000);
    const names = await this.#admin.names();
    const all = await Promise.all(names.map((name) => readStatus(name, { ...this.#parts, admin: this.#admin })));
    return all.filter((one) => one !== undefined);
  }

  /** Stops all consumers. */
  async close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop()));
  }
}
