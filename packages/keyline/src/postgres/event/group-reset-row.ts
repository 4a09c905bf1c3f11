import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";
import { toPosition } from "./event-position.ts";

const reset: Statement = { name: "keyline-reset-group", text: "SELECT keyline.reset_group($1, $2, $3)" };

/** Has a group begin anew in the record: everything up to `floor` is finished, and nothing behind it. */
export async function resetGroupRow(
  database: Database,
  { stream, group }: { readonly stream: string; readonly group: string },
  floor: string,
): Promise<void> {
  await database.query(reset, [stream, group, toPosition(floor)]);
}
