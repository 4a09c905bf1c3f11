import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { canReach, type Identity } from "./identity.ts";

/** A new folder of our own, or the caller's, which is created when it is not there; for `identity` alone. */
export function preparePrivateFolder(kind: string, dir: string | undefined, identity: Identity): string {
  const folder = dir === undefined ? mkdtempSync(join(temporaryFolder(identity), `keyline-${kind}-`)) : resolve(dir);
  if (dir !== undefined) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, gid } = identity.ids;
  if (uid !== undefined && gid !== undefined) {
    chownSync(folder, uid, gid);
    chmodSync(folder, 0o700);
  }
  return folder;
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

// Root's TMPDIR may lie where the user that runs the server must not look.
function temporaryFolder(identity: Identity): string {
  return canReach(tmpdir(), identity) ? tmpdir() : "/tmp";
}
