import { realpathSync } from "node:fs";
import { join } from "node:path";

/** The folder of a package of this workspace. */
export function folderOf(name: string): string {
  return realpathSync(join(import.meta.dirname, "../../../../node_modules", name));
}
