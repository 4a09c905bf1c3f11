import type { StandardSchemaV1 } from "@standard-schema/spec";
import { Door } from "../../src/runtime/door.ts";
import { silentLogger } from "../../src/runtime/logger.ts";
import { Seam } from "../../src/runtime/probe.ts";
import { compareIds } from "../../src/stream/entry-id.ts";
import { Groups } from "../../src/stream/group/groups.ts";
import { ValkeyConnection } from "../../src/valkey/client/connection.ts";
import { StreamKeys } from "../../src/valkey/stream/keys.ts";
import { toTarget } from "../../src/valkey/client/options.ts";
import { StreamTails } from "../../src/valkey/client/stream-tails.ts";
import type { Stage } from "./stage.ts";

/** The consumer groups of one stream, as a process of its own would have them: with connections of its own. */
export interface GroupSite {
  readonly groups: Groups;
  readonly keys: StreamKeys;
  readonly connection: ValkeyConnection;
  /** Appends one entry for each of the values. Returns their ids. */
  append(values: readonly unknown[], keyOf?: (value: never) => string): Promise<string[]>;
  close(): Promise<void>;
}

export function openGroups(
  stage: Pick<Stage, "prefix" | "valkeyUrl">,
  stream: string,
  options: { readonly hasKeys?: boolean; readonly schema?: StandardSchemaV1; readonly valkeyUrl?: string } = {},
): GroupSite {
  const target = toTarget(options.valkeyUrl ?? stage.valkeyUrl);
  const connect = (silenceMs: number): ValkeyConnection => new ValkeyConnection(target, { logger: silentLogger, silenceMs });
  const connection = connect(5_000);
  const keys = new StreamKeys(stage.prefix, stream);
  const tails = new StreamTails({
    isCluster: false,
    commands: connection,
    connect: (blockMs) => connect(blockMs + 2_000),
    isBefore: (a, b) => compareIds(a, b) < 0,
    logger: silentLogger,
  });
  const groups = new Groups({
    stream,
    keys,
    connection,
    tails,
    schema: options.schema,
    hasKeys: options.hasKeys ?? false,
    events: undefined,
    logger: silentLogger,
    door: new Door(),
    seam: new Seam(),
  });
  return {
    groups,
    keys,
    connection,
    async append(values, keyOf) {
      await connection.ensureReady(5_000);
      return Promise.all(
        values.map((value) => {
          const fields = ["data", JSON.stringify(value)];
          if (keyOf) fields.push("key", keyOf(value as never));
          return connection.client.xadd(keys.events, "*", ...fields) as Promise<string>;
        }),
      );
    },
    async close() {
      await groups.stopWorking();
      tails.close();
      connection.close();
    },
  };
}
