import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { EmbeddedError } from "../errors.ts";
import { canReach, canWriteTo, type Identity } from "./identity.ts";

/** A name for a folder of our own, which its guard is going to make; or the caller's folder, for `identity` to write to. */
export function choosePrivateFolder(kind: string, dir: string | undefined, identity: Identity): string {
  if (dir !== undefined) return openFolder(resolve(dir), identity);
  return join(temporaryFolder(identity), `keyline-${kind}-${randomBytes(9).toString("base64url")}`);
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Makes the folder if it is not there. What is there already, with somebody's files in it, is not given to anybody else. */
function openFolder(folder: string, identity: Identity): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, gid } = identity.ids;
  if (uid !== undefined && gid !== undefined && statSync(folder).uid !== uid) {
    if (readdirSync(folder).length > 0) {
      throw new EmbeddedError("START_FAILED", `${folder} is not empty and does not belong to user ${uid}, who runs the server`);
    }
    chownSync(folder, uid, gid);
    chmodSync(folder, 0o700);
  }
  if (canReach(folder, identity)) return folder;
  throw new EmbeddedError("START_FAILED", `${folder} lies where user ${uid}, who runs the server, may not look`);
}

// Root's TMPDIR may lie where the user that runs the server must not look, or may be one from which that user's guard cannot remove
// its folder.
function temporaryFolder(identity: Identity): string {
  return canReach(tmpdir(), identity) && canWriteTo(tmpdir(), identity) ? tmpdir() : "/tmp";
}
