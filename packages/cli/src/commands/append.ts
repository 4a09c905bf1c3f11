import type { Command } from "commander";
import { audited } from "../acts/audited.ts";
import { openStream, type CreateOptions } from "../connection/names.ts";
import { action } from "../context.ts";
import { WrongUse } from "../exit-codes.ts";
import { readData } from "../input/data.ts";

interface Options extends CreateOptions {
  readonly key?: string;
  readonly idempotencyKey?: string;
}

export function define(command: Command): void {
  command
    .argument("<stream>")
    .argument("[data]", "JSON, or - for what comes on standard input", "-")
    .option("--key <key>", "what the event is about, as the application's `key` would say")
    .option("--idempotency-key <key>", "append nothing if this was appended lately")
    .option("--create", "also if nobody has used this stream yet")
    .option("--transactional", "the same, and PostgreSQL has its record")
    .action(
      action(async ({ output, session }, name: string, given: string, { key, idempotencyKey, ...choice }: Options) => {
        const data = await readData(given);
        const stream = await openStream(session, name, { ...choice, ...(key !== undefined && { key: () => key }) });
        if (key === undefined && (await hasKeys(name))) {
          throw new WrongUse(`The events of ${name} have keys, and only its application knows how they come about: say --key.`);
        }
        const options = idempotencyKey === undefined ? {} : { idempotencyKey };
        const act = { action: "append", target: `stream:${name}`, details: { key, idempotencyKey } };
        const result = await audited(session, act, () => stream.append(data, options), { countOf: ({ appended }) => Number(appended) });
        const { id, appended } = result;
        await output.result(
          { stream: name, ...result },
          appended ? `Appended ${id} to ${name}.` : `It is there already, as ${id}: nothing was appended.`,
        );

        async function hasKeys(of: string): Promise<boolean> {
          const entries = await (await session.keyline()).directory.streams();
          return entries.find((entry) => entry.name === of)?.hasKeys ?? false;
        }
      }),
    );
}
