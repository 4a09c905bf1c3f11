import type { Command } from "commander";
import { action } from "../context.ts";
import { Failure, WrongUse } from "../exit-codes.ts";

export function define(command: Command): void {
  command.option("--dry-run", "only say where it is, and what there is to do").action(
    action(async ({ output, session }, { dryRun }: { readonly dryRun?: boolean }) => {
      if (!session.hasPostgres) throw new WrongUse("This needs PostgreSQL. Say where it is: --postgres URL, or DATABASE_URL.");
      const keyline = await session.reached();
      if (!dryRun) await keyline.migrate();
      const { postgres } = await keyline.health();
      const { migration } = postgres;
      if (!migration)
        throw new Failure(`${session.addresses.postgresName ?? ""} cannot say: ${postgres.error ?? "this role may not look"}`);
      const { at, newest } = migration;
      const record = { at, newest, pending: newest - at };
      const isThere = at >= newest;
      const there = `The schema keyline is at version ${at}, the newest that this command knows.`;
      const pending = `The schema keyline is at version ${at}, and ${newest} is the newest: ${newest - at} to apply, in one transaction.`;
      await output.result(record, isThere ? there : pending);
    }),
  );
}
